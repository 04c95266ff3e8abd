# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A policy moves jobs between real nodes, and what each uses of the processors is measured there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes
from transproc.automation.policies import Policies, parse
from transproc.cli import common, main
from transproc.cluster import usage
from transproc.controller.service import Service
from transproc.host import Host

pytestmark = [pytest.mark.native, pytest.mark.toolchain]
LARGEST_ID = int(Path("/proc/sys/kernel/pid_max").read_text())


def test_a_node_is_emptied(
    machines: NativeNodes,
    counter: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    mine = tmp_path / "nodes.toml"
    mine.write_text(machines.configuration.read_text() + "[local]\ncapacity = 0\n")
    monkeypatch.setenv("TRANSPROC_NODES", str(mine))
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "state"))
    policy = tmp_path / "policy.toml"
    policy.write_text('[limits]\nat_once = 2\n[[rule]]\nkind = "evacuate"\nnodes = "na"\n')
    for name in ("i", "j"):
        words = ["run", "--node", "na", "--name", name, "--", str(counter), "100000", "5000", "4"]
        assert main.run(words) == 0
    try:
        capfd.readouterr()
        assert main.run(["policy", "explain", str(policy)]) == 0
        assert "j: na → nb  (rule 1: na is to be empty)" in capfd.readouterr().out
        assert main.run(["policy", "run", str(policy), "--once", "--json"]) == 0
        report = json.loads(capfd.readouterr().out)
        assert [(move["job"], move["target"], move["done"]) for move in report["moves"]] == [
            ("i", "nb", True),
            ("j", "nb", True),
        ]
        host = Host()
        assert [host.store.load(name).node for name in ("i", "j")] == ["nb", "nb"]
        back = parse('[limits]\ncool_down = "1h"\n[[rule]]\nkind = "keep"\nnodes = "na"\n')
        assert Policies(host, back).round().results == []  # they have just moved
        notes = Policies(host, back).explain().notes
        assert [note.split(" for another ")[0] for note in notes] == [
            f"rule 1 (keep na): {name} stays on nb" for name in ("i", "j")
        ]
        assert all(" after its migration (cool_down), then it should go to na (" in note for note in notes)
        service = Service(host)
        service.policies.start()
        service.policies.set('[limits]\ncool_down = 0\n[[rule]]\nkind = "keep"\njobs = "i"\nnodes = "na"\n')
        until = time.monotonic() + 30
        while host.store.load("i").node != "na":
            assert time.monotonic() < until
            time.sleep(0.05)
        service.close()
        (task,) = service.tasks.recent()
        assert (task.who, task.kind, task.job, task.state) == ("policy", "migrate", "i", "done")
    finally:
        for name in ("i", "j"):
            main.run(["kill", "--remove", name])
        common.host().close()


@pytest.mark.skipif(LARGEST_ID >= 1 << 22, reason="this machine takes every process id")
def test_no_move_is_proposed_to_a_node_whose_process_ids_end_too_soon(
    machines: NativeNodes, counter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "nodes.toml"
    mine.write_text(machines.configuration.read_text() + "[local]\n")
    monkeypatch.setenv("TRANSPROC_NODES", str(mine))
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "state"))
    try:
        assert main.run(["run", "--node", "na", "--name", "high", "--", str(counter), "100000", "5000"]) == 0
        host = Host()
        found = Policies(host, parse('[[rule]]\nkind = "keep"\nnodes = "local"\n')).explain()
        host.close()
        assert found.moves == []
        assert f"but local gives process ids below {LARGEST_ID}, but the program has " in found.notes[0]
    finally:
        main.run(["kill", "--remove", "high"])
        common.host().close()


def test_processor_time_of_jobs(
    machines: NativeNodes, counter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSPROC_NODES", str(machines.configuration))
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "state"))
    words = ["run", "--node", "na", "--name", "busy", "--", str(counter), "1000000000", "0", "1"]
    assert main.run(words) == 0
    try:
        host = Host()
        node = host.node("na")
        before = usage.ask(node)["busy"]
        until = time.monotonic() + 10
        while usage.ask(node)["busy"] < before + 0.1:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert usage.ask(host.node("nb")) == {}
        host.close()
    finally:
        main.run(["kill", "--remove", "busy"])
        common.host().close()

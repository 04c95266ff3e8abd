# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The first implementation's instructions, between the two ISAs, with the addresses of functions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from transproc.automation.plans import planning
from transproc.automation.plans.records import Result
from transproc.binary.elf import Elf
from transproc.cluster import operations
from transproc.cluster.events import Silent, Token
from transproc.cluster.job import State
from transproc.cluster.node import SshNode
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.host import Host
from transproc.paths import SOURCE
from transproc.run import output, run

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]


def listed(nodes: dict[str, SshNode], path: Path) -> Path:
    """The nodes as a file."""
    tables = []
    for name, node in nodes.items():
        where = node.address
        tables.append(
            f'[{name}]\nhost = "{where.host}"\nport = {where.port}\nkey = "{where.key}"\nhost_key = "{where.host_key}"\n'
        )
    path.write_text("".join(tables))
    return path


def test_the_example_of_the_first_implementation(
    nodes: dict[str, SshNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its program's pair in bin/, and finds the nodes by their ISAs."""
    example = SOURCE / "examples" / "plans"
    program = tmp_path / "bin" / "bt"
    program.parent.mkdir()
    compiler = Path(sys.executable).with_name("transproc-cc")
    run([compiler, "-O2", "-ffp-contract=off", "-o", program, example / "bt.c", "-lm"])
    functions = Elf(program.with_name("bt.x86_64")).functions
    for isa, name in (("x86_64", "x86-64"), ("aarch64", "aarch64")):
        program.with_name(f"bt.{isa}").rename(program.with_name(f"bt_{name}"))
    plan = json.loads((example / "config.json").read_text())
    plan["instructions"]["2"]["addr"] = f"{functions['adi']:x}"
    plan["instructions"]["6"]["addr"] = f"{functions['compute_rhs']:#x}"
    (tmp_path / "config.json").write_text(json.dumps(plan))
    monkeypatch.setenv("TRANSPROC_NODES", str(listed(nodes, tmp_path / "nodes.toml")))
    host = Host(JobStore(tmp_path / "state"))
    context = host.context(Silent(), Token())
    checked = planning.examine(tmp_path, host, {})
    assert checked.nodes == {"x86-64": "x86", "aarch64": "arm"}
    try:
        outcome = planning.carry_out(checked, host, context)[1]
        assert (outcome.result, outcome.jobs) == (Result.DONE, {"bt": "bt is paused on arm"})
        assert host.store.load("bt").state is State.PAUSED
        operations.resume(context, "bt")
        ended = wait(host.store, "bt", host.place, 60)
        assert (ended.exit, ended.moves) == ("status 0", 1)
        assert host.place(ended).read("stdout").decode() == output([program])
    finally:
        operations.discard(context, "bt")
        host.close()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Machines become nodes by a command: real SSH servers, on systems as small as busybox and as usual as Debian."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.native.nodes import NativeNodes, Setting
from tests.native.systems import busybox
from transproc.cli import common, main
from transproc.cluster.job import Job, State
from transproc.cluster.node import SshNode, read
from transproc.cluster.store import JobStore

pytestmark = pytest.mark.native


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's list of nodes: empty at first, as are the records."""
    monkeypatch.setenv("TRANSPROC_NODES", str(tmp_path / "mine.toml"))
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "state"))
    yield tmp_path / "mine.toml"
    common.host().close()


def add(machines: NativeNodes, name: str, *more: str) -> int:
    words = ["--port", str(machines.machines[name].port), "--key", str(machines.directory / "user")]
    return main.run(["nodes", "add", name, "127.0.0.1", *words, *more])


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main.run(["nodes", "list", "--json", "--wait", "10"]) == 0
    return {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}


def test_add_list_check_remove(machines: NativeNodes, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(machines, "na") == 1
    said = capsys.readouterr().err
    assert "nobody has confirmed the host key of 127.0.0.1" in said
    shown = said.split("add --fingerprint ")[1].strip()
    assert add(machines, "na", "--fingerprint", "SHA256:wrong") == 1
    assert not mine.exists()
    capsys.readouterr()
    assert add(machines, "na", "--fingerprint", shown, "--label", "cheap", "--capacity", "3") == 0
    assert f"na (x86_64) is listed in {mine}, and can be used" in capsys.readouterr().out
    assert add(machines, "nb", "--yes") == 0
    found = listed(capsys)
    assert found["na"]["state"] == found["nb"]["state"] == "ok"
    assert found["na"]["labels"] == ["cheap", "na", "x86_64"]
    assert found["na"]["capacity"] == 3
    assert found["na"]["facts"]["criu"].startswith("4.")
    assert main.run(["nodes", "check", "na", "nb"]) == 0
    JobStore().create(Job("there", "na", ["prog"], state=State.RUNNING))
    assert listed(capsys)["na"]["jobs"] == 1
    assert main.run(["nodes", "remove", "na"]) == 1
    assert "jobs are there: there" in capsys.readouterr().err
    assert main.run(["nodes", "remove", "nb"]) == 0
    assert [node.name for node in read(mine)] == ["na"]


def test_one_who_may_not_log_in_is_not_added(
    machines: NativeNodes, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    assert add(machines, "na", "--yes", "--key", str(tmp_path / "other")) == 1
    assert "ssh-copy-id" in capsys.readouterr().err
    assert not mine.exists()


@pytest.mark.skipif(shutil.which("sudo") is None, reason="no sudo here")
def test_a_user_who_becomes_root(tmp_path: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As on Ubuntu and Raspberry Pi OS."""
    with NativeNodes(tmp_path / "nodes", Setting(user="ann", sudo=True)) as machines:
        assert add(machines, "na", "--yes", "--user", "ann") == 0
        assert "sudo = true" in capsys.readouterr().out
        assert add(machines, "nb", "--yes", "--user", "ann", "--sudo") == 0
        assert "can be used" in capsys.readouterr().out
        found = {node.name: node.address for node in read(mine) if isinstance(node, SshNode)}
        assert [(one.user, one.sudo) for one in found.values()] == [("ann", False), ("ann", True)]


def test_a_small_system(tmp_path: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """busybox has all that is needed but criu, and the node says how to get that."""
    setting = Setting(criu=[], root=busybox(tmp_path / "root"))
    with NativeNodes(tmp_path / "nodes", setting) as machines:
        assert add(machines, "na", "--yes") == 0
        said = capsys.readouterr().out
        assert "cannot be used yet" in said
        assert "MISSING  criu: not installed  → apk add criu, 4.1.1 or later" in said
        assert said.count("MISSING") == 2  # `criu check` as well, and nothing else
        found = listed(capsys)["na"]
        assert found["state"] == "no criu"
        assert abs(found["facts"]["clock"]) < 2
        with read(mine)[0] as node:
            assert isinstance(node, SshNode)
            assert not node.gnu_tar
            (tmp_path / "file").write_text("contents")
            node.put(tmp_path / "file", "/tmp/there")
            node.get("/tmp/there", tmp_path / "back")
            assert (tmp_path / "back").read_text() == "contents"

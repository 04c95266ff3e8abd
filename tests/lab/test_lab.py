# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The two machines, really: that both are nodes, dump and restore, and that a lost one is noticed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from transproc.cluster.node import SshNode, read
from transproc.errors import LabError, NodeError
from transproc.lab import checkup
from transproc.lab.lab import Lab
from transproc.lab.machine import MachineLostError
from transproc.lab.qemu import GUESTS, Size

pytestmark = pytest.mark.lab

NAMES = [guest.node for guest in GUESTS]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of its own, beside the user's."""
    own = Lab(tmp_path_factory.mktemp("lab"))
    own.up(size=Size(memory_mb=512))
    yield own
    own.down()


@pytest.fixture(params=NAMES)
def node(request: pytest.FixtureRequest, lab: Lab) -> Iterator[SshNode]:
    found = {node.name: node for node in read(lab.directory / "nodes.toml")}
    with found[request.param] as chosen:
        yield chosen


def test_each_machine_is_of_its_isa(node: SshNode) -> None:
    assert {guest.node: guest.isa for guest in GUESTS}[node.name] == node.isa
    assert node.output(["hostname"]).strip() == node.name


def test_up_again_changes_nothing(lab: Lab) -> None:
    before = lab.status()
    assert lab.up() == before


def test_releases_do_not_mix(lab: Lab) -> None:
    with pytest.raises(LabError, match="lab machines run that are of trixie"):
        lab.up(suite="forky")
    assert [machine.suite for machine in lab.up()] == ["trixie"] * len(NAMES)


def test_doctor_finds_nothing(node: SshNode) -> None:
    assert [finding for finding in checkup.node(node) if not finding.ok] == []


def test_system_is_what_programs_expect(node: SshNode) -> None:
    mounts = {line.split()[1]: line.split()[2] for line in node.output(["cat", "/proc/mounts"]).splitlines()}
    tmpfs = dict.fromkeys(["/", "/tmp", "/run", "/dev/shm"], "tmpfs")
    expected = {**tmpfs, "/dev/pts": "devpts", "/sys/fs/cgroup": "cgroup2"}
    assert expected.items() <= mounts.items()
    assert node.exists("/run/criu.kdat")
    assert node.exists("/dev/net/tun")


def test_files_go_there_and_back(node: SshNode, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "random").write_bytes(os.urandom(1 << 20))
    with (source / "sparse").open("wb") as file:
        file.truncate(64 << 20)
    node.put(source, "/var/lib/transproc/test/there")
    node.get("/var/lib/transproc/test/there", tmp_path / "back")
    for name in ("random", "sparse"):
        assert (tmp_path / "back" / name).read_bytes() == (source / name).read_bytes()
    assert (tmp_path / "back/sparse").stat().st_blocks < 100
    node.run(["rm", "-r", "/var/lib/transproc/test"])


def test_dump_and_restore(node: SshNode) -> None:
    """Of a busybox that sleeps again and again: plain `sleep` ends when its system call is interrupted (x86_64)."""
    start = "cd /; setsid tail -f /dev/null </dev/null >/dev/null 2>&1 & echo $!"
    pid = node.output(["sh", "-c", start]).strip()
    node.run(["mkdir", "/run/test"])
    node.run(["criu", "dump", "-D", "/run/test", "-o", "dump.log", "-t", pid], timeout=60)
    assert not node.exists(f"/proc/{pid}")
    node.run(["criu", "restore", "-D", "/run/test", "-o", "restore.log", "-d"], timeout=60)
    time.sleep(0.2)
    status = node.output(["cat", f"/proc/{pid}/status"])
    assert "State:\tS (sleeping)" in status
    node.run(["sh", "-c", f"kill {pid}; rm -r /run/test"])


def test_nothing_outside_is_reached(node: SshNode) -> None:
    assert node.run(["timeout", "3", "nc", "10.0.2.2", "22"], stdin=b"", check=False).returncode != 0


def test_a_lost_machine_is_noticed_and_started_again(lab: Lab) -> None:
    lost = lab.machine("arm")
    found = {node.name: node for node in read(lab.directory / "nodes.toml")}
    with found["arm"] as arm:
        arm.run(["true"])
        os.kill(lost.pid, signal.SIGKILL)
        begin = time.monotonic()
        with pytest.raises(NodeError):
            arm.run(["sleep", "30"])
        assert time.monotonic() - begin < 15
    with pytest.raises(MachineLostError, match="arm was lost"):
        lab.machine("arm")
    other = lab.machine("x86")
    lab.up(size=Size(memory_mb=512))
    assert lab.machine("arm").pid != lost.pid
    assert lab.machine("x86") == other

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State of machines, command lines; real processes stand where an emulator would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from transproc.errors import LabError
from transproc.lab import qemu
from transproc.lab.lab import Lab
from transproc.lab.machine import Machine, MachineLostError, start_time
from transproc.lab.patience import Patience
from transproc.lab.qemu import GUESTS, Size


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["sleep", "100"])
    yield process  # type: ignore[misc]
    process.kill()
    process.wait()


def record(lab: Lab, pid: int, start: int, name: str = "x86") -> None:
    state = Machine(name, "x86_64", pid, start, 2222, False, 1024)
    (lab.directory / f"{name}.json").write_text(json.dumps(asdict(state)))


def test_a_process_with_the_recorded_start_is_alive(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    lab = Lab(tmp_path)
    record(lab, sleeper.pid, start_time(sleeper.pid))
    assert lab.machine("x86").pid == sleeper.pid


def test_a_pid_used_anew_is_a_lost_machine(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    lab = Lab(tmp_path)
    record(lab, sleeper.pid, start_time(sleeper.pid) + 1)
    lab.console("x86").path.write_text("one\nKernel panic\n")
    with pytest.raises(MachineLostError, match=r"x86 was lost\n  console: one\n  console: Kernel panic"):
        lab.machine("x86")


def test_a_zombie_is_not_alive(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    start = start_time(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert start != 0
    assert start_time(sleeper.pid) == 0


def test_down_ends_the_recorded_process_only(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    lab = Lab(tmp_path)
    record(lab, sleeper.pid, start_time(sleeper.pid))
    record(lab, os.getpid(), 1, name="arm")
    assert lab.down() == ["x86"]
    assert sleeper.wait(1) == -15
    assert lab.status() == []
    assert (tmp_path / "nodes.toml").read_text() == ""


def test_a_machine_that_is_not_up_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="lab machine arm is not running"):
        Lab(tmp_path).machine("arm")


def test_readiness_is_a_whole_line(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for text, expected in (
        ("", None),
        ("noise\ntransproc: ready, criu ", None),
        ("noise\r\ntransproc: ready, criu 0\r\n", 0),
        ("transproc: ready, criu 127\n", 127),
    ):
        lab.console("x86").path.write_text(text)
        assert lab.console("x86").ready == expected


def test_what_an_emulator_waits_for_a_processor_does_not_count() -> None:
    """Four that compute, on one processor: in a second each has a quarter of one."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    finally:
        os.sched_setaffinity(0, mine)
    try:
        patience = Patience([busy[0].pid], 1.0)
        time.sleep(1.0)
        assert patience.waited > 0.4
        assert patience.left > 0.3
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_one_that_has_nothing_to_do_is_not_waited_for(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    lab = Lab(tmp_path)
    lab.console("x86").path.write_text("it stands here\n")
    state = Machine("x86", "x86_64", sleeper.pid, start_time(sleeper.pid), 1, False, 1)
    with pytest.raises(LabError, match=r"x86 was not ready in 1 s\n  console: it stands here"):
        lab._await_ready(state, 0.6)


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.isa)
@pytest.mark.parametrize("kvm", [False, True])
def test_command_line(guest: qemu.Guest, kvm: bool) -> None:
    argv = qemu.command(
        guest,
        kernel=Path("/k"),
        initrd=Path("/i"),
        console=Path("/c"),
        ssh_port=4022,
        size=Size(memory_mb=512, cpus=1, root="300m"),
        kvm=kvm,
    )
    line = " ".join(argv)
    assert argv[0] == f"qemu-system-{guest.isa}"
    assert f"console={guest.console}" in line
    assert "restrict=on,hostfwd=tcp:127.0.0.1:4022-:22" in line
    assert "transproc.root=300m" in line
    assert ("-accel kvm -cpu host" in line) is kvm
    assert (f"-cpu {guest.cpu_tcg}" in line) is not kvm


def test_kvm_is_never_tried_for_another_isa() -> None:
    possible = [guest.isa for guest in GUESTS if qemu.kvm_possible(guest)]
    assert possible in ([], [os.uname().machine])

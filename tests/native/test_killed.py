# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""criu that is killed in the middle of a dump: its code is in the program then, and the program is made what it was."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.process.conftest import Local, Running, launch_of
from transproc.lab.rootfs import host_criu
from transproc.process.build import build
from transproc.process.criu import dump_argv
from transproc.process.pause import Files, Tool

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

KILLS = 20
LINES = 3
"""More that each process must have printed after a kill."""


def facts(pid: int) -> list[list[str]]:
    """What a program does not change, and criu does: descriptors, shared mappings, what is done with signals."""
    place, wanted = Path(f"/proc/{pid}"), ("SigCgt", "SigIgn", "Seccomp:", "TracerPid")
    shared = [line for line in (place / "maps").read_text().splitlines() if line.split()[1][3] == "s"]
    open_ = sorted(str(entry.readlink()) for entry in (place / "fd").iterdir())
    lines = [line for path in sorted(place.glob("task/*/status")) for line in path.read_text().splitlines()]
    return [shared, open_, [line for line in lines if line.startswith(wanted)]]


def end_helpers(word: str) -> None:
    """What a killed criu leaves, which `recover` ends: children that wait for it, with its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if word in words and "dump" in words:
                os.kill(int(path.parent.name), signal.SIGKILL)


def await_lines(program: Running, count: int) -> None:
    """Until the program has printed so many."""
    until = time.monotonic() + 30
    while program.out.count("\n") < count:
        assert not program.ended, program.end()
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.mark.nightly  # once in some hundred kills a process is lost (docs/reliability.md)
def test_criu_that_is_killed_in_the_middle(steady: Path, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("criu needs root")
    tool, chance, killed = Tool(Local(), str(build("x86_64"))), random.Random(), 0
    binary = Path(f"{steady}.x86_64")
    pid = tool.start(launch_of(binary, tmp_path))
    program = Running(pid, tmp_path)
    files = Files(str(tmp_path / "data"), str(tmp_path / "identities"), str(tmp_path / "guard"))
    (tmp_path / "data").mkdir()
    try:
        await_lines(program, LINES)
        for number in range(KILLS):
            images = tmp_path / f"images{number}"
            images.mkdir()
            tree = tool.pause(pid).processes
            before = [facts(one) for one in tree]
            argv = [
                *tool.before_dump(pid, files, 0, str(tmp_path / "clocks")),
                *dump_argv(host_criu(), pid, str(images)),
            ]
            with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as criu:
                time.sleep(chance.random() ** 2 * 0.12)  # what comes first is the shortest
                criu.kill()
            killed += criu.returncode == -signal.SIGKILL
            end_helpers(str(images))
            tool.resume(pid, files)
            assert not program.ended, program.end()
            assert all(Path(f"/proc/{one}").exists() for one in tree), (tree, number, criu.returncode)
            assert [facts(one) for one in tree] == before
            assert not (tmp_path / "guard").exists()
            await_lines(program, program.out.count("\n") + LINES)
        (tmp_path / "stop").touch()
        assert program.end() == "status 0"
        assert killed
        print("killed", killed)  # pytest -s
    finally:
        if not program.ended:
            tool.kill(pid)

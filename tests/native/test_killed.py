# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""criu that is killed in the middle of a dump: its code is in the program then, and the program is made what it was."""

from __future__ import annotations

import contextlib
import os
import platform
import random
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.performing import begun, context_of, expected
from tests.stepping import FORKS, KCMP_FILES, TRACES, Stop, compare, followed, reader, stepped
from tests.unit.process.conftest import Local, Running, launch_of
from transproc.cluster import operations
from transproc.cluster.node import SshNode
from transproc.cluster.watch import wait
from transproc.errors import CommandError
from transproc.lab.rootfs import host_criu
from transproc.process.build import build
from transproc.process.criu import FREED_SECONDS, dump_argv, relevant, restore_argv
from transproc.process.launch import Files
from transproc.process.tool import Tool
from transproc.run import run

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

KILLS = 20
LEAVING = ("Trimmed message", "Sent only")
"""What criu's code in a program says when its connection has ended, before it lets the program go on."""
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


@dataclass
class Victim:
    """The program of the faults, which is paused and dumped by a criu that is killed, and goes on, again and again."""

    tool: Tool
    pid: int
    program: Running
    place: Path
    criu: Sequence[str] = field(default_factory=host_criu)

    @property
    def files(self) -> Files:
        return Files(*(str(self.place / name) for name in ("data", "identities", "attributes", "guard")))

    def dump(self) -> tuple[list[str], Path]:
        """A command that dumps it, when it stands; and the directory of the images."""
        images = self.place / "images"
        shutil.rmtree(images, ignore_errors=True)
        images.mkdir()
        before = self.tool.before_dump(self.pid, self.files, 0, str(self.place / "clocks"))
        return [*before, *dump_argv(self.criu, self.pid, str(images))], images

    @contextmanager
    def struck(self) -> Iterator[None]:
        """It is paused, something happens to its dump, and it must go on as if nothing had been."""
        tree = self.tool.pause(self.pid).processes
        before = [facts(one) for one in tree]
        yield
        end_helpers(str(self.place / "images"))
        self.tool.resume(self.pid, self.files)
        assert not self.program.ended, self.program.end()
        assert all(Path(f"/proc/{one}").exists() for one in tree), tree
        assert [facts(one) for one in tree] == before
        assert not (self.place / "guard").exists()
        await_lines(self.program, self.program.out.count("\n") + LINES)

    def expect_right(self) -> None:
        """It comes to its end, and what it has printed is what it prints undisturbed."""
        (self.place / "stop").touch()
        assert self.program.end() == "status 0"
        assert self.program.out == expected(self.program.out.count("\n") - 1) + "end\n"


def test_children_that_are_ending(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """One that frees its memory just then is no hindrance for a dump, and no part of it."""
    context = context_of(tmp_path / "state", nodes)
    program = compiled(Path(__file__).with_name("forking.c"), tmp_path)
    place = begun(context, "ending", [program, "200"])
    pid, files = (
        place.job.pid,
        Files(place.data, f"{place.dump}/identities", guard=f"{place.directory}/guard"),
    )
    try:
        for _ in range(30):
            place.make_images()
            place.tool.pause(pid)
            place.node.run([*place.tool.before_dump(pid, files, 0, f"{place.dump}/clocks"), "true"])
            place.resume(pid, undone=True)
        place.node.put_bytes(b"", f"{place.data}/work/go")
        assert wait(context.store, "ending", context.places, 60).exit == "status 0"
    finally:
        operations.discard(context, "ending")


@pytest.fixture
def victim(steady: Path, tmp_path: Path) -> Iterator[Victim]:
    if os.getuid() != 0:
        pytest.skip("criu needs root")
    tool = Tool(Local(), str(build(platform.machine())))
    pid = tool.start(launch_of(Path(f"{steady}.{platform.machine()}"), tmp_path))
    program = Running(pid, tmp_path)
    (tmp_path / "data").mkdir()
    try:
        await_lines(program, LINES)
        yield Victim(tool, pid, program, tmp_path)
    finally:
        if not program.ended:
            tool.kill(pid)


def strike(victim: Victim, gate: Path, stop: int | None) -> list[Stop]:
    """criu is killed at a stop, or not; the stops that it made."""
    with victim.struck():
        argv, images = victim.dump()
        status, stops = stepped([*argv, "--config", str(gate)], gate, first=TRACES, kill_at=stop)
        assert status == (0 if stop is None or stop >= len(stops) else -signal.SIGKILL)
        log = (images / "dump.log").read_text()
        if status:  # its code in the program has not left by itself: the program has not run between
            assert not any(words in log for words in LEAVING), (stop, stops[-1], log.splitlines()[-3:])
    return stops


def script(place: Path, criu: Sequence[str], scripts: int) -> list[str]:
    """criu as a script that becomes it, or a script that becomes such a script."""
    words = list(criu)
    for number in range(scripts):
        path = place / f"criu-{number}"
        path.write_text(f'#!/bin/sh\nhere=$(env pwd)\nexec {shlex.join(words)} "$@"\n')
        path.chmod(0o755)
        words = [str(path)]
    return words


def shared_with(pid: int) -> list[int]:
    """Children of a process that share its table of descriptors: kcmp(2) finds no order between the two."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if compare(pid, int(child), KCMP_FILES) == 0]


@pytest.mark.parametrize("scripts", [0, 1, 2])
def test_descriptors_of_criu_outlive_it(victim: Victim, tmp_path: Path, scripts: int) -> None:
    """Also where criu is a script: what it executes has a table of its own."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    victim.criu = script(tmp_path, victim.criu, scripts)
    with victim.struck():
        argv, _images = victim.dump()
        with subprocess.Popen([*argv, "--config", str(gate)], stdout=subprocess.DEVNULL) as criu:
            pipe = os.open(gate, os.O_WRONLY)  # until it reads
            assert len(shared_with(criu.pid)) == 1
            os.close(pipe)
            assert criu.wait(60) == 0
    victim.expect_right()


@pytest.mark.parametrize("scripts", [0, 1], ids=["program", "script"])
@pytest.mark.parametrize("kills", [12, pytest.param(0, marks=pytest.mark.nightly)], ids=["some", "all"])
def test_criu_that_is_killed_at_each_of_its_calls(
    victim: Victim, tmp_path: Path, kills: int, scripts: int
) -> None:
    victim.criu = script(tmp_path, victim.criu, scripts)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    count = len(strike(victim, gate, None))
    chosen = range(0, count, max(1, count // kills) if kills else 1)
    for stop in chosen:
        strike(victim, gate, stop)
    victim.expect_right()
    print("killed", len(chosen))  # pytest -s


def running(binary: str) -> list[int]:
    """Processes that execute a program."""
    found = []
    for path in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            if str(path.readlink()) == binary:
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("kills", [12, pytest.param(0, marks=pytest.mark.nightly)], ids=["some", "all"])
def test_a_restore_that_is_killed_at_each_call_of_criu(victim: Victim, tmp_path: Path, kills: int) -> None:
    """Of the copy nothing is left, and with the images and the files it is restored the last time.

    It may have run for a moment, when criu was about to stop it, and have written: a migration sends the files again.
    """
    gate, (argv, images) = tmp_path / "gate", victim.dump()
    os.mkfifo(gate)
    binary = str(Path(f"/proc/{victim.pid}/exe").readlink())
    victim.tool.pause(victim.pid)
    run(argv)
    victim.tool.kill(victim.pid, moved=str(tmp_path))
    pidfile = str(tmp_path / "pidfile")
    criu = restore_argv(host_criu(), str(images), pidfile)
    kept = {path: path.read_bytes() for path in (tmp_path / "lines", tmp_path / "out")}
    wrote = 0

    def restore(words: Sequence[str]) -> str:
        nonlocal wrote
        wrote += any(path.read_bytes() != content for path, content in kept.items())
        for path, content in kept.items():
            path.write_bytes(content)
        try:
            restored = victim.tool.restore(words, state=str(tmp_path), pidfile=pidfile, deadline=60)
        except CommandError as error:
            return error.stderr
        assert restored.pid == victim.pid
        return ""

    def strike(stop: int | None) -> int:
        with ThreadPoolExecutor(1) as others:
            done = others.submit(restore, [*criu, "--config", str(gate)])
            status, stops = followed(lambda: reader(gate), gate, first=FORKS, kill_at=stop)
            assert bool(done.result()) == bool(status), (stop, done.result())
        assert bool(running(binary)) == (not status), (stop, stops[-1])
        return len(stops)

    count = strike(None)
    victim.tool.kill(victim.pid, moved=str(tmp_path))
    chosen = range(0, count, max(1, count // kills) if kills else 1)
    for stop in chosen:
        if strike(stop) <= stop:  # it has come to its end before
            victim.tool.kill(victim.pid, moved=str(tmp_path))
    until = time.monotonic() + FREED_SECONDS
    while failed := restore(criu):  # numbers of what was just killed may not be free yet
        log = relevant((images / "restore.log").read_text())
        assert "File exists" in log and time.monotonic() < until, (failed, log)
    victim.tool.resume(victim.pid)
    victim.expect_right()
    print("killed", len(chosen), "and the copy had written", wrote)  # pytest -s


@pytest.mark.nightly
def test_criu_that_is_killed_in_the_middle(victim: Victim) -> None:
    chance, killed = random.Random(), 0
    for _ in range(KILLS):
        with victim.struck():
            argv, _images = victim.dump()
            with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as criu:
                time.sleep(chance.random() ** 2 * 0.12)  # what comes first is the shortest
                criu.kill()
            killed += criu.returncode == -signal.SIGKILL
    victim.expect_right()
    assert killed
    print("killed", killed)  # pytest -s

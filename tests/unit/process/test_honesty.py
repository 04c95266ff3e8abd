# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tool says that it failed when it has: full disks, limits, answers that cannot be given. And what it makes is private."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.process.conftest import Running, Start, launch_of
from transproc.process.launch import Files, Launch, Terminal
from transproc.process.tool import Tool
from transproc.run import run

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def to_full(tool_path: Path, *words: str) -> int:
    """The tool's status when its answer cannot be written."""
    with Path("/dev/full").open("wb") as full:
        return subprocess.run([tool_path, *words], stdout=full, check=False).returncode


def test_an_answer_that_cannot_be_given(tool_path: Path, start: Start) -> None:
    pid = str(start("read").pid)
    for words in (["status"], ["pause"], ["resume"], ["peers"], ["kill"]):
        assert to_full(tool_path, *words, "--pid", pid) == 1, words


def test_a_list_that_cannot_be_written(tool: Tool, tmp_path: Path) -> None:
    """criu must not be started then: the files would have no list."""
    done = run(
        [
            *tool.before_dump(os.getpid(), Files(str(tmp_path), "/dev/full"), 0, "/dev/null"),
            "/bin/echo",
            "dumped",
        ],
        check=False,
    )
    assert done.returncode == 1
    assert b"errno 28" in done.stdout
    assert b"dumped" not in done.stdout


@as_root
@pytest.mark.parametrize("processes", [1, 2])
def test_no_process_can_be_made(tool_path: Path, tmp_path: Path, processes: int) -> None:
    """Neither the supervisor, nor what it starts."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:-2]:
        parent.chmod(parent.stat().st_mode | 0o111)
    copy = tmp_path / "tool"
    copy.write_bytes(tool_path.read_bytes())
    copy.chmod(0o755)
    limit = ["prlimit", f"--nproc={processes}"]
    user = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    done = run([*limit, *user, copy, "run", "--state", tmp_path, "--", "/bin/true"], check=False)
    answer = json.loads(done.stdout)
    assert not answer["ok"]
    assert "the supervisor cannot be started: errno 11" in answer["message"]
    assert done.returncode == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place])
    yield place
    run(["umount", "-l", place])


def fill(disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (disk / "filler").write_bytes(bytes(1 << 20))


@as_root
def test_the_end_is_recorded_on_a_full_disk(tool: Tool, target: Path, small_disk: Path) -> None:
    pid = tool.start(Launch([str(target), "read"], str(small_disk)))
    fill(small_disk)
    tool.kill(pid)
    assert Running(pid, small_disk).end(10) == "signal 9"


@as_root
def test_a_full_disk_at_the_start(tool_path: Path, target: Path, small_disk: Path) -> None:
    """The program is not started: nobody could tell how it ended."""
    fill(small_disk)
    done = run([tool_path, "run", "--state", small_disk, "--", target, "read"], check=False)
    assert json.loads(done.stdout)["message"] == "the state directory cannot be used: errno 28"


@as_root
def test_what_is_printed_while_the_disk_is_full_is_not_lost(
    tool: Tool, target: Path, small_disk: Path
) -> None:
    state = small_disk / "state"
    state.mkdir()
    log = small_disk / "log"
    launch = Launch(
        ["/bin/sh", "-c", "read x; echo $x printed; read x"], str(state), terminal=Terminal(str(log))
    )
    pid = tool.start(launch)
    fill(small_disk)
    words = [tool.path, "attach", "--pid", str(pid), "--terminal", str(log), "--offset", "0"]
    typing = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert typing.stdin is not None
    os.write(typing.stdin.fileno(), b"hello\n")
    time.sleep(0.3)
    (small_disk / "filler").unlink()
    until = time.monotonic() + 10
    while b"hello printed" not in log.read_bytes():
        assert time.monotonic() < until, log.read_bytes()
        time.sleep(0.02)
    typing.stdin.close()
    assert typing.wait(10) == 0
    tool.kill(pid)


def test_files_are_private_and_programs_are_not_told(tool: Tool, tmp_path: Path) -> None:
    """What a program makes itself is as elsewhere."""
    tool.kill(1 << 22)
    script = f"umask; : >{tmp_path}/own"
    state = tmp_path / "state"
    state.mkdir()
    launch = Launch(["/bin/sh", "-c", script], str(state), streams={"stdout": str(tmp_path / "out")})
    pid = tool.start(launch)
    assert Running(pid, state).end() == "status 0"
    assert (tmp_path / "out").read_text() == "0022\n"
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    assert (state / "exit").stat().st_mode & 0o777 == 0o600


def test_numbers_that_are_too_large(tool_path: Path) -> None:
    """They became other numbers: of process 1 << 32 | 1, process 1 was shown."""
    for number in ((1 << 32) + 1, 1 << 31, 1 << 64):
        done = run([tool_path, "status", "--pid", str(number)], check=False)
        assert done.returncode == 2, number


def test_a_state_directory_that_cannot_be_cleared(tool_path: Path, target: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "exit").mkdir(parents=True)  # what is left of a program, and cannot be removed
    launch = launch_of(target, state, "read")
    done = run([tool_path, "run", *launch.words()], check=False)
    assert not json.loads(done.stdout)["ok"]

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pausing real processes: results must be those of an undisturbed run, whatever happens to the process meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.stepping import TRACES, stepped
from tests.unit.process.conftest import Running, Start, launch_of
from transproc.errors import PauseError, UnsupportedError
from transproc.process.answers import Pause
from transproc.process.tool import Tool
from transproc.run import output

native_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="aarch64's kernel forgets what it interrupted"
)


def states(pid: int) -> set[str]:
    found = set()
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        assert fields["TracerPid"].strip() == "0"
        found.add(fields["State"].split()[0])
    return found


def address(target: Path, symbol: str) -> int:
    for line in output(["llvm-nm-19", target]).splitlines():
        value, _, name = line.split()
        if name == symbol:
            return int(value, 16)
    raise AssertionError(symbol)


def cycle(tool: Tool, program: Running, times: int, *, apart: float = 0.02) -> list[Pause]:
    """Pauses and resumes at random moments, at most `apart` seconds apart, until the program ends."""
    chance, pauses = random.Random(1), []
    for _ in range(times):
        time.sleep(chance.random() * apart)
        try:
            paused = tool.pause(program.pid)
        except PauseError as error:
            assert "exist" in error.message or "ended" in error.message, error.message
            break
        for pid in paused.processes:
            assert states(pid) == {"T"}
        pauses.append(paused)
        tool.resume(program.pid)
    return pauses


def test_computation_is_undisturbed(start: Start, tool: Tool) -> None:
    program = start("churn")
    pauses = cycle(tool, program, 200)
    assert len(pauses) >= 3
    assert {thread.function for paused in pauses for thread in paused.threads} == {"churn"}
    assert program.end() == "status 7"
    assert program.out == "sum 22245761\n"


def test_deep_stacks(start: Start, tool: Tool) -> None:
    program = start("fibonacci")
    pauses = cycle(tool, program, 50)
    assert program.end() == "status 7"
    assert program.out == "fibonacci 24157817\n"
    assert all(paused.threads[0].depth > 1 for paused in pauses)


def test_threads(start: Start, tool: Tool) -> None:
    """Spinning, waiting for a pipe, for a futex: no byte is lost or read twice, no call fails."""
    program = start("threads")
    pauses = cycle(tool, program, 500)
    assert program.end() == "status 7"
    assert program.out == "bytes 400\n"
    assert any(len(paused.threads) == 5 for paused in pauses)
    assert {"site", "call"} <= {thread.state for paused in pauses for thread in paused.threads}


def test_process_trees(start: Start, tool: Tool) -> None:
    program = start("forks")
    pauses = cycle(tool, program, 500)
    assert program.end() == "status 7"
    assert program.out == "total 990\n"
    assert any(len(paused.processes) == 2 for paused in pauses)


def test_children_that_end_while_they_are_attached(start: Start, tool: Tool) -> None:
    """A child may be gone between the look at the tree and its attachment: a process without threads."""
    program = start("mayflies")
    assert cycle(tool, program, 5000, apart=0)
    assert program.end() == "status 7"
    assert program.out == "total 20000\n"


def test_vfork(start: Start, tool: Tool) -> None:
    """While a child borrows its parent's memory nobody can stay; the pause waits for its end."""
    program = start("vforks")
    pauses = cycle(tool, program, 500)
    assert program.end() == "status 7"
    assert program.out == "total 12\n"
    assert len(pauses) >= 2
    assert all(len(paused.processes) == 1 for paused in pauses)


def test_short_lived_threads(start: Start, tool: Tool) -> None:
    program = start("spawns")
    assert len(cycle(tool, program, 60)) == 60
    assert not program.ended
    assert program.out == ""


def test_signal_handlers(start: Start, tool: Tool) -> None:
    """Signals arrive all the time; a thread is never stopped in their handler, and none disturbs the result."""
    program = start("signals")
    pauses = cycle(tool, program, 40)
    assert program.end() == "status 7"
    assert program.out == "sum 1286649792600\nsignals\n"
    assert len(pauses) >= 2
    assert "on_signal" not in {thread.function for paused in pauses for thread in paused.threads}


def test_goes_on_for_a_while(start: Start, tool: Tool) -> None:
    program = start("churn")  # about 0.2 s of work
    tool.pause(program.pid)
    before = time.monotonic()
    paused = tool.pause(program.pid, run=0.05)
    passed = time.monotonic() - before
    assert passed >= 0.05
    assert paused.milliseconds <= 1000 * (passed - 0.05) + 1, "the pause itself"
    assert states(program.pid) == {"T"}
    assert not program.ended
    assert not paused.apart, "it has a /proc"
    tool.pause(program.pid, run=0.01)
    tool.resume(program.pid)
    assert program.end() == "status 7"
    assert program.out == "sum 22245761\n"


@pytest.mark.parametrize("wait", ["read", "poll", "epoll", "sleep", "futex", "timed-futex"])
def test_waits_go_on(start: Start, tool: Tool, wait: str) -> None:
    program = start(wait)
    time.sleep(0.1)
    for _ in range(4):
        (thread,) = tool.pause(program.pid).threads
        assert thread.state == "call"
        assert states(program.pid) == {"T"}
        tool.resume(program.pid)
        time.sleep(0.02)
    if wait == "sleep":
        assert program.end() == "status 7"
        assert program.out == "result 0\n"
    else:
        assert not program.ended
        assert program.out == ""


@pytest.mark.parametrize("wait", ["read", "poll", "epoll", "futex"])
def test_signals_still_end_waits(start: Start, tool: Tool, wait: str) -> None:
    """A handler without SA_RESTART makes the call fail with EINTR (4), once, also after pauses."""
    program = start(wait)
    time.sleep(0.1)
    for _ in range(3):
        tool.pause(program.pid)
        tool.resume(program.pid)
    time.sleep(0.05)
    os.kill(program.pid, signal.SIGUSR1)
    assert program.end() == "status 7"
    assert program.out == "error 4\n"


@native_x86_64
@pytest.mark.parametrize("wait", ["read", "poll", "epoll", "futex", "timed-futex", "sleep"])
def test_signals_of_the_pause_end_waits(start: Start, tool: Tool, wait: str) -> None:
    """As above, for a signal that comes while the tree is stopped."""
    program = start(wait)
    time.sleep(0.1)
    tool.pause(program.pid)
    os.kill(program.pid, signal.SIGUSR1)
    tool.resume(program.pid)
    assert program.end() == "status 7"
    assert program.out == "error 4\n"


def test_stops_at_an_address(start: Start, tool: Tool, target: Path) -> None:
    program = start("read")  # which waits for ever, and never comes to the other mode's function
    with pytest.raises(PauseError, match="in time"):
        tool.pause(program.pid, at=address(target, "reader"), timeout=0.2)
    program = start("threads")
    paused = tool.pause(program.pid, at=address(target, "sleep_ms"))
    assert states(program.pid) == {"T"}
    assert len(paused.threads) == 5
    tool.resume(program.pid)
    assert program.end() == "status 7"
    assert program.out == "bytes 400\n"


def test_address_outside_the_text(start: Start, tool: Tool) -> None:
    program = start("read")
    with pytest.raises(PauseError, match="not in the common text"):
        tool.pause(program.pid, at=0x10)
    assert states(program.pid) <= {"S", "R"}


@pytest.mark.parametrize("count", [1, 2, 500])
def test_counts_sites(tool: Tool, target: Path, tmp_path: Path, count: int) -> None:
    """The same count is the same place, each time."""
    places = []
    for run in range(2):
        state = tmp_path / str(run)
        state.mkdir()
        start = launch_of(target, state, "short")
        paused = tool.start_paused(start, at=address(target, "churn"), count=count)
        places.append([(thread.pc, thread.site, thread.depth) for thread in paused.threads])
        assert paused.steps == count - 1
        tool.resume(paused.pid)
        assert Running(paused.pid, state).end() == "status 7"
        assert Running(paused.pid, state).out == "sum 2104886033\n"
    assert places[0] == places[1]


def test_paused_from_the_start(tool: Tool, target: Path, tmp_path: Path) -> None:
    paused = tool.start_paused(launch_of(target, tmp_path, "short"))
    assert states(paused.pid) == {"T"}
    assert (tmp_path / "out").read_text() == ""
    tool.resume(paused.pid)
    assert Running(paused.pid, tmp_path).end() == "status 7"


def test_time_out_names_the_place_and_lets_go(start: Start, tool: Tool) -> None:
    program = start("stuck")
    time.sleep(0.1)
    with pytest.raises(PauseError, match=r"elsewhere at 0x[0-9a-f]+ \(foreign_spin\+0x") as caught:
        tool.pause(program.pid, timeout=0.3)
    assert caught.value.tid == program.pid
    assert states(program.pid) == {"R"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_cancellation_lets_go(start: Start, tool_path: Path, number: signal.Signals) -> None:
    program = start("stuck")
    time.sleep(0.1)
    with subprocess.Popen([tool_path, "pause", "--pid", str(program.pid)], stdout=subprocess.PIPE) as process:
        time.sleep(0.2)
        process.send_signal(number)
        answer, _ = process.communicate(timeout=10)
        assert process.returncode == 1
    assert b'"interrupted"' in answer
    assert states(program.pid) == {"R"}


def test_text_is_restored(start: Start, tool: Tool, target: Path) -> None:
    program = start("churn")
    text = target.read_bytes()[0x1000:0x1800]
    for _ in range(3):
        tool.pause(program.pid)
        with Path(f"/proc/{program.pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(0x1000000)
            assert memory.read(0x800) == text
        tool.resume(program.pid)


def test_pending_signals_stay(start: Start, tool: Tool) -> None:
    """A signal that comes while the tree is stopped is delivered once it goes on: here it kills."""
    program = start("read")
    tool.pause(program.pid)
    os.kill(program.pid, signal.SIGUSR2)
    time.sleep(0.05)
    assert states(program.pid) == {"T"}
    tool.resume(program.pid)
    assert program.end() == f"signal {signal.SIGUSR2.value}"


def test_pause_of_a_stopped_tree(start: Start, tool: Tool) -> None:
    program = start("churn")
    first = tool.pause(program.pid)
    second = tool.pause(program.pid)
    assert first.threads[0].pc == second.threads[0].pc
    assert states(program.pid) == {"T"}
    tool.resume(program.pid)
    assert program.end() == "status 7"
    assert program.out == "sum 22245761\n"


def test_a_tree_that_someone_else_stopped(start: Start, tool: Tool) -> None:
    program = start("churn")
    os.kill(program.pid, signal.SIGSTOP)
    tool.pause(program.pid)
    tool.resume(program.pid)
    assert program.end() == "status 7"
    assert program.out == "sum 22245761\n"


def test_foreign_programs_are_refused(tool: Tool) -> None:
    sleep = shutil.which("sleep")
    assert sleep
    with subprocess.Popen([sleep, "30"]) as process:
        with pytest.raises(UnsupportedError, match="no site index"):
            tool.pause(process.pid)
        assert states(process.pid) <= {"S", "R"}
        process.kill()


def test_no_such_process(tool: Tool) -> None:
    with pytest.raises(PauseError, match="does not exist"):
        tool.pause(2**22 - 3)
    assert tool.status(2**22 - 3) == []
    tool.kill(2**22 - 3)


def test_status(start: Start, tool: Tool) -> None:
    program = start("threads")
    time.sleep(0.1)
    tool.pause(program.pid)
    (process,) = tool.status(program.pid)
    assert process.index
    assert {thread.state for thread in process.threads} == {"T"}
    assert any(thread.function == "spinner" for thread in process.threads)
    tool.resume(program.pid)


def test_moved_programs_leave_no_exit(start: Start, tool: Tool) -> None:
    program = start("read")
    tool.pause(program.pid)
    tool.kill(program.pid, moved=str(program.state))
    time.sleep(0.2)
    assert not Path(f"/proc/{program.pid}").exists()
    assert not program.ended


def test_killed_programs_leave_their_signal(start: Start, tool: Tool) -> None:
    program = start("read")
    tool.kill(program.pid)
    assert program.end() == "signal 9"


def test_start_reports_failures(tool: Tool, tmp_path: Path) -> None:
    with pytest.raises(PauseError, match="cannot be executed: errno 2"):
        tool.start(launch_of(tmp_path / "nothing", tmp_path))
    with pytest.raises(PauseError, match="cannot be executed"):
        tool.start_paused(launch_of(tmp_path / "nothing", tmp_path))


def test_programs_start_clean(tool: Tool, tmp_path: Path) -> None:
    """Nothing but three descriptors, a session of its own, no environment but the given one."""
    shell = shutil.which("sh")
    assert shell
    script = 'ls -l /proc/self/fd | wc -l; ps -o sid= -p $$ | tr -d " "; echo $$; pwd; echo "$A"'
    launch = launch_of(Path(shell), tmp_path, "-c", script)
    tool.start(
        type(launch)(
            launch.argv, launch.state, launch.directory, launch.streams, None, {"A": "b c", "PATH": "/bin"}
        )
    )
    assert Running(0, tmp_path).end() == "status 0"
    count, session, pid, directory, variable = (tmp_path / "out").read_text().splitlines()
    assert (session, directory, variable) == (pid, str(tmp_path), "b c")
    assert int(count) == 5  # "total", 0, 1, 2, and the one with which ls reads the directory


KILLS = 25
STRIDE = 23
LATE = 5
"""Pauses one after the other that made fewer stops than where the tool was to be killed: that was all of them."""
OUTPUTS = {
    "churn": "sum 22245761\n",
    "fibonacci": "fibonacci 24157817\n",
    "threads": "bytes 400\n",
    "forks": "total 990\n",
    "signals": "sum 1286649792600\nsignals\n",
}


def strike(tool: Tool, target: Path, program: Running, gate: Path, stop: int) -> bool:
    """The tool is killed at a stop while it pauses a program; whether it was still at work. The program is in order at once.

    If it was killed between its answer and its end, the program may stand: who asked has seen a failure, and lets it go on.
    """
    argv = [
        "sh",
        "-c",
        'read word <"$0"; exec "$@"',
        str(gate),
        tool.path,
        "pause",
        "--pid",
        str(program.pid),
    ]
    status, _stops = stepped(argv, gate, first=TRACES, kill_at=stop)
    with target.open("rb") as executable:
        fcntl.flock(executable, fcntl.LOCK_EX)  # its guardian has ended
    with contextlib.suppress(PauseError, FileNotFoundError, ProcessLookupError):  # it has ended
        if "T" in states(program.pid):
            tool.resume(program.pid)
    return status == -signal.SIGKILL


@pytest.mark.parametrize("kills", [8, pytest.param(0, marks=pytest.mark.nightly)], ids=["some", "all"])
@pytest.mark.parametrize("mode", ["forks", "threads", "churn", "signals"])
def test_a_tool_that_is_killed_at_each_of_its_calls(
    start: Start, tool: Tool, target: Path, mode: str, kills: int
) -> None:
    gate, stop, struck, late = target.with_name(f"gate {mode} {kills}"), 0, 0, 0
    os.mkfifo(gate)
    while late < LATE and (not kills or struck < kills):
        program = start(mode)
        while not program.ended and late < LATE and (not kills or struck < kills):
            if strike(tool, target, program, gate, stop):
                struck += 1
                stop += STRIDE if kills else 1
                late = 0
            else:
                late += 1
        assert program.end() == "status 7"
        assert program.out == OUTPUTS[mode]
    assert struck
    print("killed", struck)  # pytest -s


@pytest.mark.parametrize("mode", OUTPUTS)
def test_a_tool_that_is_killed_in_the_middle(start: Start, tool: Tool, target: Path, mode: str) -> None:
    """SIGKILL at any moment: the program is put in order at once, runs on, and comes to its end.

    If it was killed between its answer and its end, the program may stand: who asked has seen a failure, and lets it go on.
    """
    program, chance, killed = start(mode), random.Random(), 0
    for _ in range(KILLS):
        if program.ended:
            break
        command = subprocess.Popen([tool.path, "pause", "--pid", str(program.pid)], stdout=subprocess.DEVNULL)
        time.sleep(chance.random() * 0.006)
        command.kill()
        killed += command.wait() == -signal.SIGKILL
        with target.open("rb") as executable:
            fcntl.flock(executable, fcntl.LOCK_EX)  # its guardian has ended
        with contextlib.suppress(PauseError, FileNotFoundError, ProcessLookupError):  # it has ended
            if "T" in states(program.pid):
                tool.resume(program.pid)
    assert program.end() == "status 7"
    assert program.out == OUTPUTS[mode]
    assert killed
    print("killed", killed)  # pytest -s

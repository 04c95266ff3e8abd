# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pausing, dumping and restoring real processes on the lab's machines, each within its ISA (nothing is transformed here).

On x86_64 by night: tests/unit/process/test_pause.py and the native nodes' tests do so in every run, where this machine is one.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.writers.target import build_target
from transproc.cluster.node import Node, SshNode
from transproc.errors import PauseError
from transproc.process.build import build
from transproc.process.criu import Criu
from transproc.process.launch import Launch
from transproc.process.tool import Tool

pytestmark = pytest.mark.lab

DIRECTORY = "/tmp/transproc-pause-test"
RESULTS = {
    "fibonacci": "fibonacci 24157817",
    "threads": "bytes 400",
    "forks": "total 990",
    "signals": "sum 1286649792600\nsignals",
}
SOON = ["fibonacci", "threads", "forks", pytest.param("signals", marks=pytest.mark.nightly)]
WAITS = ["read", "poll", "epoll", "futex", "timed-futex"]


@dataclass
class Bench:
    """A node with the tool and the target on it."""

    node: Node
    tool: Tool

    def start(self, mode: str) -> tuple[int, str]:
        state = f"{DIRECTORY}/{mode}"
        self.node.run(["sh", "-c", 'rm -rf "$1"; mkdir -p "$1"', "sh", state])
        streams = {"stdout": f"{state}/out"}
        return self.tool.start(Launch([f"{DIRECTORY}/target", mode], state, state, streams)), state

    def end(self, state: str, seconds: float = 300) -> str:
        until = time.monotonic() + seconds
        while not self.node.exists(f"{state}/exit"):
            assert time.monotonic() < until
            time.sleep(0.1)
        return self.node.output(["cat", f"{state}/out", f"{state}/exit"])

    def is_stopped(self, pid: int) -> bool:
        threads = [thread for process in self.tool.status(pid) for thread in process.threads]
        return bool(threads) and all(thread.state == "T" for thread in threads)


@pytest.fixture(scope="module", params=[pytest.param("x86", marks=pytest.mark.nightly), "arm"])
def bench(
    request: pytest.FixtureRequest, guests: dict[str, SshNode], tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    node = guests[request.param]
    node.run(["rm", "-rf", DIRECTORY])
    node.put(build(node.isa), f"{DIRECTORY}/transproc-stop")
    node.put(build_target(node.isa, tmp_path_factory.mktemp("target") / "target"), f"{DIRECTORY}/target")
    return Bench(node, Tool(node, f"{DIRECTORY}/transproc-stop"))


def hops(bench: Bench, pid: int, each: Callable[[int], None], times: int) -> int:
    """Pauses at random moments, does something, and lets go on; returns how often before the program ended."""
    chance = random.Random(1)
    for done in range(times):
        time.sleep(chance.random() * 0.1)
        try:
            bench.tool.pause(pid, timeout=20)
        except PauseError as error:
            assert "exist" in error.message or "ended" in error.message
            return done
        assert bench.is_stopped(pid)
        each(done)
        bench.tool.resume(pid)
    return times


@pytest.mark.parametrize("mode", SOON)
def test_results_are_undisturbed(bench: Bench, mode: str) -> None:
    pid, state = bench.start(mode)
    assert hops(bench, pid, lambda _: None, 15) > 0
    assert bench.end(state) == f"{RESULTS[mode]}\nstatus 7\n"


@pytest.mark.parametrize("mode", ["threads", "forks"])
def test_a_tree_that_stays_stopped_can_be_stopped_further_on(bench: Bench, mode: str) -> None:
    """And no SIGSTOP is left over each time: criu would not get past it."""
    pid, state = bench.start(mode)
    bench.tool.pause(pid, timeout=20)
    for _ in range(12):
        bench.tool.pause(pid, count=5, timeout=20)
        pending = bench.node.output(["sh", "-c", f"grep -h -E '^S(ig|hd)Pnd' /proc/{pid}/task/*/status"])
        assert not any(int(line.split()[1], 16) & 1 << signal.SIGSTOP - 1 for line in pending.splitlines())
    bench.tool.resume(pid)
    assert bench.end(state) == f"{RESULTS[mode]}\nstatus 7\n"


@pytest.mark.parametrize("mode", WAITS)
def test_waits_go_on(bench: Bench, mode: str) -> None:
    pid, state = bench.start(mode)
    time.sleep(0.2)
    assert hops(bench, pid, lambda _: None, 4) == 4
    assert bench.node.output(["cat", f"{state}/out"]) == ""
    bench.tool.kill(pid)
    assert bench.end(state) == "signal 9\n"


@pytest.mark.parametrize("mode", [*SOON, "read", "epoll"])
def test_dump_and_restore(bench: Bench, mode: str) -> None:
    """The original stays stopped until it is killed; the copy is stopped until it is let go; the result is the same."""
    criu = Criu(bench.node)
    pid, state = bench.start(mode)
    time.sleep(0.1)

    def hop(number: int) -> None:
        images = f"{state}/images{number}"
        bench.node.run(["mkdir", images])
        criu.dump(pid, images)
        assert bench.is_stopped(pid)
        bench.tool.kill(pid, moved=state)
        assert not bench.tool.status(pid)
        assert not bench.node.exists(f"{state}/exit")
        assert criu.restore(bench.tool, images, state=state).pid == pid
        assert bench.is_stopped(pid)

    assert hops(bench, pid, hop, 2) > 0
    if mode in RESULTS:
        assert bench.end(state) == f"{RESULTS[mode]}\nstatus 7\n"
    else:
        time.sleep(0.2)
        assert bench.node.output(["cat", f"{state}/out"]) == ""
        bench.tool.kill(pid)
        assert bench.end(state) == "signal 9\n"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How long it takes to stop a program at equivalence points, by threads and by what they do; on this machine, without CRIU."""

from __future__ import annotations

import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.workloads import WITH_PASS
from transproc import log
from transproc.cluster.local import LocalNode
from transproc.process.build import build
from transproc.process.launch import Launch
from transproc.process.tool import Tool

SOURCE = Path(__file__).with_name("latency.c")
THREADS = (1, 8, 64)
STATES = ("compute", "blocked")
BETWEEN = 0.05
"""Seconds for which it runs on between two pauses."""


@dataclass
class Latency:
    """Seconds from the command to a tree that stands; the start of the tool's process is part of it."""

    threads: int
    state: str
    median: float
    worst: float


def measure(directory: Path, *, rounds: int) -> list[Latency]:
    """Each number of threads in each state."""
    program = WITH_PASS.build(SOURCE, directory)
    found = []
    for state in STATES:
        for threads in THREADS:
            with log.step(f"pause {threads} threads, {state}"):
                seconds = _pauses([str(program), str(threads), state], directory / "state", rounds)
            found.append(Latency(threads, state, statistics.median(seconds), max(seconds)))
    return found


def _pauses(argv: list[str], state: Path, rounds: int) -> list[float]:
    """Starts a program, and stops it again and again."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    tool = Tool(LocalNode(), str(build("x86_64")))
    pid = tool.start(Launch(argv, str(state)))
    seconds = []
    try:
        for _ in range(rounds):
            time.sleep(BETWEEN)
            begin = time.perf_counter()
            tool.pause(pid)
            seconds.append(time.perf_counter() - begin)
            tool.resume(pid)
    finally:
        tool.kill(pid)
    return seconds

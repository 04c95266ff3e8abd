# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tool and its target program, built once for the machine that runs the tests."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.writers.target import build_target
from transproc.process.build import build
from transproc.process.launch import Launch
from transproc.process.runner import Result
from transproc.process.tool import Tool
from transproc.run import run


class Local:
    """This machine as a node."""

    def run(self, argv: Sequence[str], *, check: bool = True, timeout: float | None = None) -> Result:
        return run(argv, check=check, timeout=timeout)


@dataclass
class Running:
    """A target program and the files that tell about it."""

    pid: int
    state: Path

    @property
    def out(self) -> str:
        return (self.state / "out").read_text()

    @property
    def ended(self) -> bool:
        return (self.state / "exit").exists()

    def end(self, seconds: float = 60) -> str:
        """What the supervisor has recorded, once the program has ended."""
        until = time.monotonic() + seconds
        while not self.ended:
            assert time.monotonic() < until, f"still running: {self.out!r}"
            time.sleep(0.01)
        return (self.state / "exit").read_text().strip()


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_target(platform.machine(), tmp_path_factory.mktemp("target") / "target")


@pytest.fixture(scope="session")
def tool_path() -> Path:
    return build(platform.machine())


@pytest.fixture
def tool(tool_path: Path) -> Tool:
    return Tool(Local(), str(tool_path))


Start = Callable[..., Running]


def launch_of(target: Path, state: Path, *words: str) -> Launch:
    streams = {"stdout": str(state / "out"), "stderr": str(state / "err")}
    return Launch([str(target), *words], str(state), streams=streams, directory=str(state))


@pytest.fixture
def start(tool: Tool, target: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the target in a mode; whatever still runs at the end of the test is killed."""
    pids: list[int] = []

    def do(*words: str) -> Running:
        state = tmp_path / f"job{len(pids)}"
        state.mkdir()
        pids.append(tool.start(launch_of(target, state, *words)))
        return Running(pids[-1], state)

    yield do
    for pid in pids:
        tool.kill(pid)


def signal_group(pid: int, number: int = signal.SIGTERM) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Commands as a whole, from the start of Python to its end: what somebody waits for who types them."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.native import PROFILES, compiled
from tests.native.nodes import NativeNodes, Setting
from transproc import log
from transproc.run import run

SHORT = ("--version", "--help", "migrate --help")
_ENDLESS = (str(10**9), "20000", "0")


@dataclass
class Command:
    """Seconds of the clock, and of processors with all that it starts and waits for."""

    name: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def time(self, *words: str | Path, env: Mapping[str, str] | None = None) -> None:
        """Once."""
        before, begin = os.times(), time.perf_counter()
        run(["transproc", *words], env=env)
        self.wall.append(time.perf_counter() - begin)
        after = os.times()
        self.cpu.append(
            after.children_user - before.children_user + after.children_system - before.children_system
        )


def measure_short(*, rounds: int) -> list[Command]:
    """Those that ask nobody, in turn."""
    found = [Command(words) for words in SHORT]
    for _ in range(rounds):
        for command in found:
            command.time(*command.name.split())
    return found


def measure_migrate(profile: str, work: Path, *, rounds: int) -> list[Command]:
    """`transproc migrate` of a small process between two native nodes with that login shell, and `ps`, in turn."""
    migrate, listed = (Command(f"{word}, {profile} shell") for word in ("migrate", "ps"))
    program = compiled(work)
    with (
        log.step(f"commands, {profile} shell") as step,
        tempfile.TemporaryDirectory(dir=work) as directory,
        NativeNodes(Path(directory) / "nodes", Setting(PROFILES[profile], exchange="")) as machines,
    ):
        env = os.environ | {
            "TRANSPROC_STATE": str(Path(directory) / "state"),
            "TRANSPROC_NODES": str(machines.configuration),
        }
        run(["transproc", "run", "--node", "na", "--name", "bench", "--", program, *_ENDLESS], env=env)
        try:
            for number in range(rounds):
                migrate.time("migrate", "bench", "--to", ("nb", "na")[number % 2], env=env)
                listed.time("ps", env=env)
        finally:
            run(["transproc", "kill", "bench", "--remove"], env=env)
        step.detail = f"{statistics.median(migrate.wall):.2f} s"
    return [migrate, listed]

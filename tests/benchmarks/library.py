# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C library against the host's: `libc.c`, compiled by transproc-cc and by clang with glibc, routine by routine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.runtime import quartiles
from tests.benchmarks.workloads import NATIVE, WITH_PASS
from transproc.run import run

SOURCE = Path(__file__).with_name("libc.c")


@dataclass
class Routine:
    """One routine with one size; times are nanoseconds of CPU time for a call (or an element), the least of all rounds."""

    name: str
    ours: float
    native: float
    ratio: float
    spread: tuple[float, float]
    """Quartiles of the pairs' ratios."""


def measure(directory: Path, *, pairs: int, only: Sequence[str] = ()) -> list[Routine]:
    """Runs A B, A B, …; `only` are parts of routines' names."""
    programs = [variant.build(SOURCE, directory) for variant in (WITH_PASS, NATIVE)]
    rounds = [[_times(program, only) for program in programs] for _ in range(pairs)]
    return [_routine(name, rounds) for name in rounds[0][0]]


def _times(program: Path, only: Sequence[str]) -> dict[str, float]:
    lines = [
        line.split()
        for part in only or [""]
        for line in run([program, part], timeout=600).stdout.decode().splitlines()
    ]
    return {name: float(nanoseconds) for name, nanoseconds in lines}


def _routine(name: str, rounds: list[list[dict[str, float]]]) -> Routine:
    ours, native = ([times[which][name] for times in rounds] for which in (0, 1))
    ratios = [a / b for a, b in zip(ours, native, strict=True)]
    return Routine(name, min(ours), min(native), min(ours) / min(native), quartiles(ratios))

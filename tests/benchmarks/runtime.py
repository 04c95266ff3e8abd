# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run time of migratable binaries, as ratios to the same source without the pass.

Two measurements: user CPU time of interleaved native runs, and instructions executed under qemu-user, which are exact and can
be had for both ISAs on any machine.
"""

from __future__ import annotations

import resource
import shutil
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.benchmarks.workloads import NATIVE, PLAIN, WITH_PASS, Workload
from transproc import log
from transproc.errors import CommandError, TransprocError
from transproc.run import run

PLUGIN = Path(__file__).with_name("count.c")
PLUGIN_VERSIONS = (1, 2, 4)
"""Of QEMU's interface for plugins: up to 8.2; 9; 10."""


@dataclass
class Runtime:
    """One program's figures; ratios are pass / plain."""

    name: str
    plain_seconds: float
    ratio: float
    spread: tuple[float, float]
    """Quartiles of the pairs' ratios."""
    to_native: float
    instructions: dict[str, float] = field(default_factory=dict)
    """Ratio of instructions executed, by ISA."""


def measure(workload: Workload, directory: Path, *, pairs: int, instructions: bool) -> Runtime:
    """Runs A B C, A B C, …; raises `TransprocError` if the outputs differ."""
    programs = [variant.build(workload.source, directory) for variant in (WITH_PASS, PLAIN, NATIVE)]
    with log.step(f"run {workload.name}") as step:
        rounds = [_round(programs, workload) for _ in range(pairs)]
        ratios = [a / b for a, b, _ in rounds]
        result = Runtime(
            workload.name,
            statistics.median(b for _, b, _ in rounds),
            statistics.median(ratios),
            quartiles(ratios),
            statistics.median(a / c for a, _, c in rounds),
        )
        if instructions and counts_instructions():
            result.instructions = {
                isa: _instruction_ratio(workload, directory, isa) for isa in ("x86_64", "aarch64")
            }
        step.detail = f"{result.ratio:.3f}"
    return result


def _round(programs: Sequence[Path], workload: Workload) -> list[float]:
    seconds, outputs = zip(*(_user_seconds([str(p), *workload.arguments]) for p in programs), strict=True)
    if len(set(outputs[:2])) != 1:
        raise TransprocError(f"{workload.name}: the variants' outputs differ")
    return list(seconds)


def _user_seconds(argv: Sequence[str]) -> tuple[float, bytes]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = run(argv, timeout=600)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, done.stdout


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper one."""
    ordered = sorted(values)
    return ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]


def geometric_mean(values: Sequence[float]) -> float:
    """Of positive numbers."""
    return statistics.geometric_mean(values)


# --- instructions ------------------------------------------------------------------------------------------------


@cache
def counts_instructions() -> bool:
    """Whether this machine's qemu-user takes plugins: Debian 13's, which is linked statically, does not."""
    return b"-plugin" in run(["qemu-x86_64", "-help"], check=False).stdout


def _instruction_ratio(workload: Workload, directory: Path, isa: str) -> float:
    counts = [
        sum(executed(variant.build(workload.source, directory, isa), workload.smoke, directory, isa).values())
        for variant in (WITH_PASS, PLAIN)
    ]
    return counts[0] / counts[1]


def executed(
    program: Path, arguments: Sequence[str], directory: Path, isa: str, cwd: Path | None = None
) -> Counter[int]:
    """Instructions executed, by the address of their block."""
    out = directory / "blocks"
    words = [f"qemu-{isa}", "-plugin", f"{_plugin(directory)},out={out}", program, *arguments]
    run(words, timeout=3600, cwd=cwd)
    counts: Counter[int] = Counter()
    for line in out.read_text().splitlines():
        address, executions, size = line.split()
        counts[int(address, 16)] += int(executions) * int(size)
    return counts


def by_function(counts: Counter[int], program: Path) -> Counter[str]:
    """The same by function, as the program's symbol table has them."""
    lines = run(["llvm-nm-19", "--numeric-sort", "--defined-only", program]).stdout.decode().splitlines()
    symbols = [(int(line.split()[0], 16), line.split()[2]) for line in lines if line.split()[1] in "tTwW"]
    found: Counter[str] = Counter()
    at = 0
    for address in sorted(counts):
        while at + 1 < len(symbols) and symbols[at + 1][0] <= address:
            at += 1
        found[symbols[at][1]] += counts[address]
    return found


@cache
def _plugin(directory: Path) -> Path:
    """The plugin in the version that this machine's QEMU wants."""
    for version in PLUGIN_VERSIONS:
        made = directory / f"count{version}.so"
        run(["clang-19", "-shared", "-fPIC", "-O2", f"-DVERSION={version}", PLUGIN, "-o", made])
        done = run(
            ["qemu-x86_64", "-plugin", f"{made},out=/dev/null", shutil.which("true") or "true"], check=False
        )
        if done.returncode == 0:
            return made
    raise CommandError(["qemu-x86_64"], 1, "no version of the plugin interface fits")

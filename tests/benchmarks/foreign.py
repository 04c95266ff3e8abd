# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that nobody here wrote (suites.py), against clang with glibc, and against the same compiler without the pass.

Compiled with `clang-19 -O2 -static` (C++: with libstdc++, and with Debian's libc++), with transproc-cc -O2, and with its
`--plain`; run in turns in the program's directory;
user *and* system CPU time count. A program that ends sooner than `SHORTEST` says nothing and is left out; so is one whose
outputs differ, which is printed: some print times, or depend on the C library's rand.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.runtime import quartiles
from tests.benchmarks.suites import Program
from tests.benchmarks.workloads import COMPILER
from transproc import log

SHORTEST = 0.05
"""Seconds of CPU time: below, the start of a process is most of it."""
SECONDS = 300
"""For one run."""
OPTIONS = ("-O2", "-std=gnu17", "-w")
CXX_COMPILER = str(Path(COMPILER).with_name("transproc-c++"))
COMPILERS = {
    "clang": ("clang-19", "-static", *OPTIONS),
    "transproc": (COMPILER, *OPTIONS),
    "plain": (COMPILER, "-Xtransproc", "--plain", *OPTIONS),
}
CXX_OPTIONS = ("-O2", "-std=gnu++14", "-w", "-Wno-narrowing")
CXX_COMPILERS = {
    "clang": ("clang++-19", "-static", *CXX_OPTIONS),
    "libc++": ("clang++-19", "-static", "-stdlib=libc++", *CXX_OPTIONS),
    "transproc": (CXX_COMPILER, *CXX_OPTIONS),
    "plain": (CXX_COMPILER, "-Xtransproc", "--plain", *CXX_OPTIONS),
}
"""The second needs Debian's libc++-19-dev."""
REFERENCES = {"clang": "against clang", "libc++": "against libc++", "plain": "pass alone"}
"""What transproc is compared with."""
Ratio = tuple[float, tuple[float, float]]
"""Median and quartiles of the rounds."""


@dataclass
class Foreign:
    """One program's figures: CPU seconds (user, system), medians, and the ratios of their sums."""

    name: str
    clang: tuple[float, float]
    transproc: tuple[float, float]
    ratios: dict[str, Ratio]
    """transproc / what the keys (of `REFERENCES`) name."""


def measure(program: Program, work: Path, *, pairs: int, plain: bool = True) -> Foreign | str:
    """Builds all, or without `plain`, and runs A B C, C B A, …; a text says why there are no figures."""
    built = {}
    for label, compiler in (CXX_COMPILERS if program.cxx else COMPILERS).items():
        if label == "plain" and not plain:
            continue
        made = work / f"{label}-{program.name.replace('/', '-')}"
        words = [*compiler, *program.flags, *program.sources, "-o", str(made), "-lm"]
        done = subprocess.run(words, cwd=program.directory, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{label} cannot compile it: {(done.stderr.strip().splitlines() or [''])[0]}"
        built[label] = made
    with log.step(f"run {program.name}") as step:
        found = _compare(program, built, pairs)
        step.detail = found if isinstance(found, str) else f"{found.ratios['clang'][0]:.3f}"
    return found


def _compare(program: Program, built: dict[str, Path], pairs: int) -> Foreign | str:
    spent: dict[str, list[tuple[float, float]]] = {label: [] for label in built}
    for number in range(pairs):
        results = {}
        for label in reversed(built) if number % 2 else built:
            try:
                *seconds, output = _spend(program, built[label])
            except (OSError, subprocess.SubprocessError) as error:
                return f"{label}: {error}"
            spent[label].append((seconds[0], seconds[1]))
            results[label] = output
        if sum(spent["clang"][0]) < SHORTEST:
            return "too short"
        if len(set(results.values())) != 1:
            return "prints something else"
    return Foreign(
        program.name,
        _median(spent["clang"]),
        _median(spent["transproc"]),
        {label: _ratio(spent["transproc"], spent[label]) for label in REFERENCES if label in spent},
    )


def _ratio(times: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> Ratio:
    ratios = [sum(a) / sum(b) for a, b in zip(times, others, strict=True)]
    return statistics.median(ratios), quartiles(ratios)


def _median(seconds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(a for a, _ in seconds), statistics.median(b for _, b in seconds)


def _spend(program: Program, binary: Path) -> tuple[float, float, tuple[int, bytes]]:
    """User and system seconds; status and output, without what may differ."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    stdin = program.directory / program.stdin if program.stdin else Path("/dev/null")
    with stdin.open() as source:
        done = subprocess.run(
            [binary, *program.arguments],
            cwd=program.directory,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    output = program.varying.sub(b"", done.stdout) if program.varying else done.stdout
    return *spent, (done.returncode, output)

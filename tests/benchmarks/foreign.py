# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that nobody here wrote: the C programs of a checkout of LLVM's test-suite, against clang with glibc.

Read from the suite's own CMakeLists.txt: sources, flags, arguments. Compiled with `clang-19 -O2 -static` and with
transproc-cc -O2, run in turns in the program's directory; user *and* system CPU time count. A program that ends sooner
than `SHORTEST` says nothing and is left out; so is one whose outputs differ, which is printed: some print times, or depend on
the C library's rand.
"""

from __future__ import annotations

import re
import resource
import shlex
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.runtime import quartiles
from transproc import log
from transproc.errors import TransprocError

BENCHMARKS = Path("MultiSource/Benchmarks")
GROUPS = (
    *("ASC_Sequoia", "BitBench", "DOE-ProxyApps-C", "Fhourstones-3.1", "FreeBench", "McCat", "MiBench"),
    *("NPB-serial", "Olden", "Ptrdist", "Rodinia", "SciMark2-C", "Trimaran", "VersaBench", "llubenchmark"),
    *("mafft", "nbench", "sim"),
)
"""C only; what is left out is C++, or a driver for many programs."""
SHORTEST = 0.05
"""Seconds of CPU time: below, the start of a process is most of it."""
SECONDS = 300
"""For one run."""
COMPILERS = {
    "clang": ("clang-19", "-O2", "-static", "-std=gnu17", "-w"),
    "transproc": ("transproc-cc", "-O2", "-std=gnu17", "-w"),
}


@dataclass(frozen=True)
class Program:
    """One directory of the suite."""

    name: str
    directory: Path
    sources: tuple[str, ...]
    flags: tuple[str, ...]
    arguments: tuple[str, ...]
    stdin: str | None


@dataclass
class Foreign:
    """One program's figures; CPU seconds (user, system), and the ratio transproc / clang of their sums."""

    name: str
    clang: tuple[float, float]
    transproc: tuple[float, float]
    ratio: float
    spread: tuple[float, float]
    """Quartiles of the pairs' ratios."""


def programs(suite: Path) -> Iterator[Program]:
    """Those of a checkout; raises `TransprocError` if it is none."""
    root = suite / BENCHMARKS
    if not root.is_dir():
        raise TransprocError(f"{suite}: has no {BENCHMARKS}", hint="--src: a checkout of LLVM's test-suite")
    for group in GROUPS:
        for recipe in sorted((root / group).rglob("CMakeLists.txt")):
            text = _chosen(recipe.read_text(errors="replace"))
            if "llvm_multisource(" in text:
                yield _program(root, recipe.parent, text)


def _program(root: Path, directory: Path, text: str) -> Program:
    words = _words(text, r"list\(APPEND\s+(?:CPPFLAGS|CFLAGS)\s+([^)]*)\)")
    words += _words(text, r"add_definitions\(([^)]*)\)")
    includes = [f"-I{directory / word}" for word in _words(text, r"include_directories\(([^)]*)\)")]
    options = re.findall(r"set\(RUN_OPTIONS\s+([^)]*)\)", text)
    before, _, stdin = (options[-1] if options else "").partition("<")
    listed = [
        word
        for word in _words(text, r"(?:llvm_multisource|set)\(\s*(?:Source|\S+)\s([^)]*)\)")
        if word.endswith(".c")
    ]
    return Program(
        "/".join(directory.relative_to(root).parts),
        directory,
        tuple(listed or sorted(path.name for path in directory.glob("*.c"))),
        ("-I.", f"-I{root / 'Rodinia/Common'}", *map(_quoted, words), *includes),
        tuple(shlex.split(before.replace("${CMAKE_CURRENT_SOURCE_DIR}", "."))),
        stdin.strip() or None,
    )


def _words(text: str, pattern: str) -> list[str]:
    return [
        word.replace("${CMAKE_CURRENT_SOURCE_DIR}", ".")
        for found in re.findall(pattern, text)
        for word in shlex.split(found)
    ]


def _quoted(flag: str) -> str:
    """CMake passes -DNAME="text" on with its quotes."""
    return re.sub(r"^-D(VERSION|COMPDATE|CFLAGS|HOSTNAME)=(.*)$", r'-D\1="\2"', flag)


def _chosen(text: str) -> str:
    """The lines for a machine like this and the usual problem size: of LARGE, SMALL and other machines the other branch."""
    lines, taken = [], [True]
    for line in text.splitlines():
        word = line.strip().lower()
        if re.match(r"if\s*\(", word):
            taken.append(not re.search(r"large_problem|small_problem|arch|target_os|msvc|host|windows", word))
        elif re.match(r"else\s*\(", word):
            taken[-1] = not taken[-1]
        elif re.match(r"elseif", word):
            taken[-1] = False
        elif re.match(r"endif", word):
            taken.pop()
        elif all(taken):
            lines.append(line.partition("#")[0])
    return "\n".join(lines)


def measure(program: Program, work: Path, *, pairs: int) -> Foreign | str:
    """Builds both and runs A B, B A, …; a text says why there are no figures."""
    built = {}
    for label, compiler in COMPILERS.items():
        made = work / f"{label}-{program.name.replace('/', '-')}"
        words = [*compiler, *program.flags, *program.sources, "-o", str(made), "-lm"]
        done = subprocess.run(words, cwd=program.directory, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{label} cannot compile it: {(done.stderr.strip().splitlines() or [''])[0]}"
        built[label] = made
    with log.step(f"run {program.name}") as step:
        found = _compare(program, built, pairs)
        step.detail = found if isinstance(found, str) else f"{found.ratio:.3f}"
    return found


def _compare(program: Program, built: dict[str, Path], pairs: int) -> Foreign | str:
    spent: dict[str, list[tuple[float, float]]] = {label: [] for label in built}
    for number in range(pairs):
        results = {}
        for label in sorted(built, reverse=bool(number % 2)):
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
    ratios = [sum(a) / sum(b) for a, b in zip(spent["transproc"], spent["clang"], strict=True)]
    return Foreign(
        program.name,
        _median(spent["clang"]),
        _median(spent["transproc"]),
        statistics.median(ratios),
        quartiles(ratios),
    )


def _median(seconds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(a for a, _ in seconds), statistics.median(b for _, b in seconds)


def _spend(program: Program, binary: Path) -> tuple[float, float, tuple[int, bytes]]:
    """User and system seconds; status and output."""
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
    return *spent, (done.returncode, done.stdout)

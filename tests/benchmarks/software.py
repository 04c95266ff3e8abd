# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Software of others (`examples/`), built with and without sites: CPU time of its own work, instructions, memory, size."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from tests.benchmarks.runtime import by_function, counts_instructions, executed, quartiles
from tests.benchmarks.size import text_size
from transproc import log
from transproc.errors import CommandError
from transproc.toolchain import recipe as recipes
from transproc.toolchain.recipe import COMPILER, Benchmark, Recipe

VARIANTS = (COMPILER, f"{COMPILER} -Xtransproc --plain")
"""With the pass; the same front end, optimiser, back ends and libc without it."""


@dataclass
class Software:
    """One program's figures; ratios are pass / plain."""

    name: str
    plain_seconds: float
    ratio: float
    spread: tuple[float, float]
    """Quartiles of the pairs' ratios."""
    best: float
    """The shortest run of each, for machines that others slow down."""
    memory: float
    """Of the largest resident set."""
    text: float
    file: float
    instructions: dict[str, float] = field(default_factory=dict)
    """Executed in a short run, by ISA."""
    costliest: dict[str, float] = field(default_factory=dict)
    """Functions that add most of the instructions on x86_64, as shares of the plain program's; with their resume entries."""


COSTLIEST = 3


def names() -> list[str]:
    """Examples that have a benchmark."""
    return [name for name in recipes.names() if recipes.load(name).benchmarks]


def measure(name: str, directory: Path, *, pairs: int, instructions: bool) -> list[Software]:
    """Builds both variants and runs A B A B."""
    recipe = recipes.load(name)
    trees = [recipes.build(recipe, compiler) for compiler in VARIANTS]
    found = []
    for benchmark in recipe.benchmarks:
        result = _measure(recipe, benchmark, trees, pairs)
        if instructions and benchmark.count and counts_instructions():
            _count(recipe, benchmark, trees, directory, result)
        found.append(result)
    return found


def _measure(recipe: Recipe, benchmark: Benchmark, trees: list[Path], pairs: int) -> Software:
    name = Path(benchmark.program).name
    with log.step(f"run {name}") as step:
        rounds = [[_spend(recipe, benchmark, tree) for tree in trees] for _ in range(pairs)]
        ratios = [a[0] / b[0] for a, b in rounds]
        binaries = [tree / f"{benchmark.program}.x86_64" for tree in trees]
        sizes = [(text_size(path), path.stat().st_size) for path in binaries]
        result = Software(
            name,
            statistics.median(b[0] for _, b in rounds),
            statistics.median(ratios),
            quartiles(ratios),
            min(a[0] for a, _ in rounds) / min(b[0] for _, b in rounds),
            statistics.median(a[1] / b[1] for a, b in rounds),
            sizes[0][0] / sizes[1][0],
            sizes[0][1] / sizes[1][1],
        )
        step.detail = f"{result.ratio:.3f}"
    return result


@contextmanager
def _prepared(recipe: Recipe, benchmark: Benchmark, tree: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A directory for one run, and its environment."""
    environment = {**os.environ, **recipe.environment(tree)}
    with tempfile.TemporaryDirectory(prefix="transproc-bench-") as place:
        recipes.shell(benchmark.prepare, Path(place), environment)
        yield Path(place), environment


def _spend(recipe: Recipe, benchmark: Benchmark, tree: Path) -> tuple[float, int]:
    """CPU seconds in user mode of all processes of one run, and the largest one's memory in kB."""
    with _prepared(recipe, benchmark, tree) as (place, environment):
        words = ["sh", "-euc", benchmark.run]
        nowhere = subprocess.DEVNULL
        child = subprocess.Popen(words, cwd=place, env=environment, stdout=nowhere, stderr=nowhere)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise CommandError(words, child.returncode, "")
    return usage.ru_utime, usage.ru_maxrss


def _count(
    recipe: Recipe, benchmark: Benchmark, trees: list[Path], directory: Path, result: Software
) -> None:
    with log.step(f"count instructions of {result.name}"):
        for isa in ("aarch64", "x86_64"):
            with_pass, plain = (_functions(recipe, benchmark, tree, directory, isa) for tree in trees)
            total = plain.total()
            result.instructions[isa] = with_pass.total() / total
            with_pass.subtract(plain)
            result.costliest = {name: n / total for name, n in with_pass.most_common(COSTLIEST)}


def _functions(recipe: Recipe, benchmark: Benchmark, tree: Path, directory: Path, isa: str) -> Counter[str]:
    """Instructions by function."""
    program = tree / f"{benchmark.program}.{isa}"
    with _prepared(recipe, benchmark, tree) as (place, environment):
        words = shlex.split(Template(benchmark.count).substitute(environment))
        counts = by_function(executed(program, words, directory, isa, place), program)
    found: Counter[str] = Counter()
    for name, number in counts.items():
        found[name.removesuffix(".resume")] += number
    return found

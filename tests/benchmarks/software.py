"""Software of others (`examples/`), built with and without sites: CPU time of its own work, memory, size."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.runtime import quartiles
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


def names() -> list[str]:
    """Examples that have a benchmark."""
    return [name for name in recipes.names() if recipes.load(name).benchmarks]


def measure(name: str, *, pairs: int) -> list[Software]:
    """Builds both variants and runs A B A B."""
    recipe = recipes.load(name)
    trees = [recipes.build(recipe, compiler) for compiler in VARIANTS]
    return [_measure(recipe, benchmark, trees, pairs) for benchmark in recipe.benchmarks]


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


def _spend(recipe: Recipe, benchmark: Benchmark, tree: Path) -> tuple[float, int]:
    """CPU seconds in user mode of all processes of one run, and the largest one's memory in kB."""
    environment = {**os.environ, **recipe.environment(tree)}
    with tempfile.TemporaryDirectory(prefix="transproc-bench-") as place:
        recipes.shell(benchmark.prepare, Path(place), environment)
        words = ["sh", "-euc", benchmark.run]
        nowhere = subprocess.DEVNULL
        child = subprocess.Popen(words, cwd=place, env=environment, stdout=nowhere, stderr=nowhere)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise CommandError(words, child.returncode, "")
    return usage.ru_utime, usage.ru_maxrss

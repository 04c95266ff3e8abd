# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""OpenMP: regions, loops, tasks, reductions, cancellation, as GNU's library has them, and in migrations."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.programs.moments import OPENMP
from transproc.process.selfmove import Plan, Work, stress
from transproc.toolchain import driver
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain

PASSIVE = {"OMP_WAIT_POLICY": "passive"}


@dataclass(frozen=True)
class Threads:
    """A program; for how many rounds it is compared with GNU's, and stressed, by ISA, at so many migrations a second."""

    source: Path
    compared: str
    stressed: Mapping[str, tuple[str, float]]
    env: Mapping[str, str] = field(default_factory=dict)

    def compiled(self, directory: Path) -> Path:
        """As users compile it."""
        program = directory / self.source.stem
        words = ["-O2", "-fopenmp", str(self.source), "-o", str(program)]
        cxx = self.source.suffix != ".c"
        driver.execute(
            parse([*words, "-nostdlib++", "-lc++abi"] if cxx else words, cxx=cxx),
            toolchain(),
        )
        return program

    def stress(self, program: Path, isa: str, plan: tuple[int, int]) -> None:
        """Moves it onto itself; seed and seconds."""
        rounds, rate = self.stressed[isa]
        verdict = stress(Work(program, [rounds], env=self.env), isa, Plan(plan[0], rate, plan[1]))
        assert verdict.passed, verdict


REGIONS = Threads(
    OPENMP / "regions.c",
    "40",
    {"x86_64": ("300", 2000.0), "aarch64": ("20", 50.0)},
    {"OMP_NUM_THREADS": "4"},
)
NESTED = Threads(
    OPENMP / "nested.cpp",
    "20",
    {"x86_64": ("100", 1000.0), "aarch64": ("3", 50.0)},
    PASSIVE | {"OMP_CANCELLATION": "true"},
)
CONSTRUCTS = Threads(
    OPENMP / "constructs.cpp",
    "20",
    {"x86_64": ("200", 1000.0), "aarch64": ("5", 50.0)},
    PASSIVE,
)


def test_regions_for_a_second(tmp_path: Path) -> None:
    """In each run; the rest by night."""
    isa = os.uname().machine
    short = replace(REGIONS, stressed={isa: ("50", REGIONS.stressed[isa][1])})
    short.stress(short.compiled(tmp_path), isa, (1, 1))


@pytest.mark.nightly
@pytest.mark.parametrize("threads", [REGIONS, NESTED, CONSTRUCTS], ids=lambda one: one.source.stem)
def test_openmp(threads: Threads, tmp_path: Path) -> None:
    """Regions within others, cancelled ones, exceptions, and what else the programs' heads say."""
    program, same = threads.compiled(tmp_path), tmp_path / "reference"
    compiler = "gcc" if threads.source.suffix == ".c" else "g++"
    subprocess.run([compiler, "-O2", "-fopenmp", threads.source, "-o", same], check=True)
    ours, theirs = (
        subprocess.run(
            [path, threads.compared], check=True, capture_output=True, env=os.environ | threads.env
        ).stdout
        for path in (program, same)
    )
    assert ours == theirs
    for isa in threads.stressed:
        threads.stress(program, isa, (3, 8))

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random C++ programs as users get them: compiled by transproc-c++, compared with clang's, and moved onto themselves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.programs.random_cxx import generate
from transproc.process.selfmove import Plan, Work, runner, stress
from transproc.toolchain import driver
from transproc.toolchain.options import parse
from transproc.toolchain.stress import Counts, Result, Source
from transproc.toolchain.sysroot import toolchain

LEVELS = ("-O2", "-O1", "-O2", "-O0", "-O3")
OPTIONS = ("-std=c++20", "-w", "-nostdlib++")
ROUNDS = {"x86_64": 300, "aarch64": 8}
"""The ISA that this machine lacks is emulated, and slower by far."""
FEW = 4
"""Rounds of the comparison with clang's."""
SECONDS = 60.0


@dataclass(frozen=True)
class Pairs:
    """Checks programs in a directory."""

    directory: Path
    isas: Sequence[str]

    def check(self, source: Source, name: str, seed: int = 1, migrations: int = 5000) -> dict[str, Result]:
        """By ISA. Raises `CompileError` if transproc-c++ does not compile it."""
        place = self.directory / name
        place.mkdir()
        program = place / "program"
        words = [source.level, *OPTIONS, str(source.file), "-o", str(program), "-lc++abi"]
        driver.execute(parse(words, cxx=True), toolchain())
        reference = place / "reference"
        subprocess.run(
            ["clang++-19", source.level, "-std=c++20", "-w", source.file, "-o", reference], check=True
        )
        expected = _run([str(reference)])
        return {isa: self._check(program, isa, expected, seed, migrations) for isa in self.isas}

    def _check(
        self, program: Path, isa: str, expected: tuple[int, bytes], seed: int, migrations: int
    ) -> Result:
        if _run([*runner(isa), f"{program}.{isa}"]) != expected:
            return Result(failed="differs from clang's without migrations")
        rounds = ROUNDS[isa]
        verdict = stress(Work(program, [str(rounds)], timeout=SECONDS), isa, Plan(seed, migrations, 1))
        counts = Counts(0, verdict.migrations, verdict.frames, verdict.refused)
        return Result(counts, failed=f"{'; '.join(verdict.differences)} {verdict.note}".strip())


def _run(words: Sequence[str]) -> tuple[int, bytes]:
    done = subprocess.run([*words, str(FEW)], check=False, capture_output=True, timeout=SECONDS)
    return done.returncode, done.stdout


def random_cxx(first: int, directory: Path) -> Iterator[tuple[int, Source]]:
    """The programs of all seeds from `first` on."""
    for seed in count(first):
        file = directory / f"random-{seed}.cpp"
        file.write_text(generate(seed))
        yield seed, Source(file, level=LEVELS[seed % len(LEVELS)])

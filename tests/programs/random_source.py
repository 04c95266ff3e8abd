# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random programs for the compiler's tests, each made of its seed alone: every third by random_c, the others by csmith."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.programs.random_c import generate
from transproc.errors import CommandError
from transproc.run import run
from transproc.toolchain.stress import TIMED_OUT

HEADERS = Path("/usr/include/csmith")
SHAPES = ((), ("--max-funcs", "20", "--max-block-depth", "4"))
LEVELS = ("-O2", "-Os", "-O2", "-O0", "-O3")
ARGUMENTS = ("1",)
"""csmith's programs print a line for each checksum then, not only the last one."""
PATIENCE = 60
"""Seconds; csmith does not end for some seeds."""


@dataclass(frozen=True)
class RandomProgram:
    """A source file, and how it is compiled."""

    file: Path
    options: tuple[str, ...]
    level: str


def random_programs(first: int, directory: Path) -> Iterator[tuple[int, RandomProgram]]:
    """The programs of all seeds from `first` on, but those for which csmith does not end. Raises `CommandError` if it fails."""
    for seed in count(first):
        try:
            yield seed, random_program(seed, directory)
        except CommandError as error:
            if error.status != TIMED_OUT:
                raise


def random_program(seed: int, directory: Path) -> RandomProgram:
    """Writes the program of a seed into a directory. Raises `CommandError` if csmith fails, or does not end."""
    file = directory / f"random-{seed}.c"
    if seed % 3 == 2:
        file.write_text(generate(seed))
    else:
        shape = [*SHAPES[seed // 3 % len(SHAPES)], *["--float"] * (seed % 3)]
        run(["csmith", "--seed", str(seed), *shape, "-o", file], cwd=directory, timeout=PATIENCE)
    inline = ("-fno-inline",) * (seed % 2)
    return RandomProgram(file, ("-I", str(HEADERS), *inline), LEVELS[seed % len(LEVELS)])

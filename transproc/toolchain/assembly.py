# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assembly files: one for each ISA, or one whose code is for neither.

Many programs compile all their assembly on every machine, and leave out by `#if defined(__x86_64__)` what is not for it: their C
code then has another version of the same. Here no ISA's macro is defined, so nothing of such a file remains.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from transproc.errors import UnsupportedError
from transproc.run import run
from transproc.toolchain import compile as compiling
from transproc.toolchain import dual

PREPROCESSED = (".S", ".sx")
"""Suffixes of files that the preprocessor sees first."""

_NOTHING = re.compile(r"\s*((#|//).*|\.section\s+\.note\..*|\.(file|ident)\s.*|\.text|\.data|\.previous)?\s*")
"""A line that puts nothing into an object: comments, and what says that the stack need not be executable."""


def assemble(source: Path, output: Path, options: Sequence[str], codegen: compiling.Codegen) -> str:
    """Assembles to a dual object; returns warnings. Raises `UnsupportedError` if that is not there for both ISAs.

    Assembly comes as foo.x86_64.S and foo.aarch64.S; naming one of them, or foo.S, means the pair. What -S writes is a pair,
    too: foo.s, for x86_64, and foo.aarch64.s.
    """
    stem = source.stem
    for isa in dual.MACHINES:
        stem = stem.removesuffix(f".{isa}")
    pair = {isa: source.with_name(f"{stem}.{isa}{source.suffix}") for isa in dual.MACHINES}
    if source.is_file() and source not in pair.values() and not pair["x86_64"].exists():
        pair["x86_64"] = source
    if all(path.is_file() for path in pair.values()):
        return compiling.assemble(pair, output, options)
    if _is_for_neither(source, options):
        return compiling.compile_c(os.devnull, output, ["-x", "c"], codegen)
    raise UnsupportedError(
        f"{source}:1: assembly is for one ISA only",
        hint=f"write it for both, as {' and '.join(path.name for path in pair.values())}, or use the C version",
    )


def _is_for_neither(source: Path, options: Sequence[str]) -> bool:
    """Whether the preprocessor leaves nothing of it."""
    if source.suffix not in PREPROCESSED or not source.is_file():
        return False
    words = [compiling.CLANG, *compiling.FRONT_END, *options, "-E", "-P", "-o", "-", str(source)]
    done = run(words, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    return done.returncode == 0 and all(map(_NOTHING.fullmatch, lines))

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of the tests, as users compile theirs."""

from __future__ import annotations

import sys
from pathlib import Path

from transproc.run import run

COMPILER = Path(sys.executable).with_name("transproc-cc")


def compiled(source: Path, directory: Path, *options: str) -> Path:
    """A pair in `directory`, named after its one source file."""
    program = directory / source.stem
    run([COMPILER, "-O2", *options, "-o", program, source])
    return program

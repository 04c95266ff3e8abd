# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fortran: Debian's flang as the front end, without its run-time library.

flang has the ABI of the front end of C, LoongArch's. Its loops are left to `transproc-codegen`,
which knows the machines that they are for.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from transproc.errors import CompileError, UnsupportedError
from transproc.run import run
from transproc.scratch import Scratch
from transproc.toolchain.compile import TRIPLE, Codegen, back_end

FLANG = "flang-new-19"
FRONT_END = (
    f"--target={TRIPLE}",
    *("-fno-pic", "-fno-pie"),
    *("-mllvm", "-vectorize-loops=false", "-mllvm", "-interleave-loops=false"),
)

_ONE_MACHINE = "is not an enabled type for this target"
"""A warning of flang's, which then goes on: real(10) is x86_64's alone."""

_MODULE = re.compile(r"^FIRModule: ", re.M)
"""What flang calls each file in what it makes of it."""


def compile_fortran(source: str, output: Path, options: Sequence[str], codegen: Codegen) -> str:
    """Compiles one file to the dual object `output`; returns warnings. Raises `CompileError` with flang's diagnostics."""
    if shutil.which(FLANG) is None:
        raise UnsupportedError(f"{source}: {FLANG} not found", hint="apt-get install flang-19")
    with Scratch() as work:
        bitcode = work / f"{output.stem}.bc"
        words = [FLANG, *FRONT_END, *options, "-c", "-emit-llvm", "-o", str(bitcode), source]
        done = run(words, check=False)
        said = done.stderr.decode(errors="replace")
        if done.returncode or _ONE_MACHINE in said:
            raise CompileError(said or f"{FLANG} failed with status {done.returncode}")
        try:
            contents, messages = back_end(bitcode, codegen, str(output), said)
        except CompileError as error:
            raise CompileError(_named(error.said, source)) from error
        output.write_bytes(contents)
    return _named(messages, source)


def _named(messages: str, source: str) -> str:
    """The back end's messages with the file's name. Without -g flang's output has no lines."""
    return _MODULE.sub(lambda _: f"{source}: ", messages)

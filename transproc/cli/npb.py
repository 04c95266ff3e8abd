# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc bench npb`: the NAS Parallel Benchmarks, as SNU published them in C (NPB3.3-SER-C), migrated while they run.

The sources are used as they are, in a copy. Only the site's part is ours, as the suite intends: `config/make.def`, and the
clock that it names, one that counts its calls, so that a program prints the same in every run.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from transproc import log
from transproc.errors import CommandError, TransprocError
from transproc.run import run
from transproc.toolchain.sysroot import toolchain

PROGRAMS = ("BT", "CG", "DC", "EP", "FT", "IS", "LU", "MG", "SP", "UA")
CLASSES = "SWABC"
CLOCK = "wtime_calls.c"
CLOCK_SOURCE = """\
/* A clock that advances by a second at each call: what is printed does not depend on the time. */
#include "wtime.h"

void wtime(double *t);

void wtime(double *t)
{
    static double calls;
    *t = calls++;
}
"""
# Some versions of the suite's IS define two arrays in two files each, as old linkers let them; one of the files is compiled by
# the command that links.
MAKE_DEF = """\
CC = {compiler}
CLINK = $(CC)
C_LIB = -lm
C_INC = -I../common
CFLAGS = -O2 -g -std=gnu99 -ffp-contract=off -w
CLINKFLAGS = -O2 -w -Dtest_rank_array=auto2_rank_array -Dtest_index_array=auto2_index_array
UCC = cc
BINDIR = ../bin
RAND = randdp
WTIME = {clock}
"""


@dataclass
class Outcome:
    """One program: its binary, or why there is none."""

    name: str
    binary: Path | None
    problem: str = ""


def build(source: Path, work: Path, which: str, chosen: Container[str] = PROGRAMS) -> Iterator[Outcome]:
    """Copies the suite to `work` and compiles those of its programs that are chosen, in a class, one after the other.

    Raises `TransprocError` if `source` is not the suite.
    """
    present = [name for name in PROGRAMS if (source / name / "Makefile").is_file()]
    if not present or not (source / "sys" / "setparams.c").is_file():
        raise TransprocError(
            f"{source}: is not a directory of NPB3.3-SER-C",
            hint="name the directory that holds BT, CG, common, config and sys",
        )
    toolchain()  # whatever is missing is built now, and not by several compilations
    tree = work / "npb"
    shutil.copytree(source, tree, ignore=shutil.ignore_patterns("*.o", "bin", ".git"))
    (tree / "bin").mkdir()
    (tree / "common" / CLOCK).write_text(CLOCK_SOURCE)
    compiler = Path(sys.executable).with_name("transproc-cc")
    (tree / "config" / "make.def").write_text(MAKE_DEF.format(compiler=compiler, clock=CLOCK))
    for name in (name for name in present if name in chosen):
        yield _make(tree, name, which)


def _make(tree: Path, name: str, which: str) -> Outcome:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    binary = tree / "bin" / f"{name.lower()}.{which}.x"
    try:
        with log.step(f"compile {name}.{which}"):
            run(["make", "-C", tree / name, f"CLASS={which}"], env=environment)
    except CommandError as error:
        return Outcome(name, None, f"not compiled: {_first_error(error.stderr)}")
    return Outcome(name, binary)


def _first_error(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["make failed"])[0]

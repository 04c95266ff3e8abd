# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs that are measured, and the ways in which they are compiled."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.programs.manifest import CFLAGS, LIBRARIES, programs
from transproc.paths import SOURCE
from transproc.run import run
from transproc.toolchain.sysroot import toolchain

COMPILER = str(Path(sys.executable).with_name("transproc-cc"))
LEVEL = "-O2"
NPB_PREFIX = "npb-"
NPB_CLASS = {"npb-ep": "S"}
"""Class A of the others takes a second or so."""

OTHERS = (
    *("mixed", "recursion", "heap", "callbacks", "scalars", "structs", "locals"),
    *("vla", "varargs", "floats", "vectors", "jumps", "args"),
)


@dataclass(frozen=True)
class Workload:
    """A program with arguments for a run of about a second natively, and for one short enough to be emulated."""

    name: str
    source: Path
    arguments: Sequence[str]
    smoke: Sequence[str]

    @property
    def is_npb(self) -> bool:
        """One of the NPB kernels, whose geometric mean has a target."""
        return self.name.startswith(NPB_PREFIX)


def workloads(names: Sequence[str] = ()) -> list[Workload]:
    """All of them, or those named; NPB kernels first."""
    known = {program.name: program for program in programs()}
    found = [
        Workload(name, program.source, [NPB_CLASS.get(name, "A")], ["S"])
        for name, program in known.items()
        if name.startswith(NPB_PREFIX)
    ]
    found.append(Workload("nbody", SOURCE / "examples/nbody/nbody.c", ["2", "2000000"], ["2", "50000"]))
    found += [Workload(n, known[n].source, known[n].short, known[n].smoke) for n in OTHERS]
    return [workload for workload in found if not names or workload.name in names]


@dataclass(frozen=True)
class Variant:
    """A way to compile."""

    name: str
    compiler: Sequence[str]
    pair: bool = True

    def build(self, source: Path, directory: Path, isa: str = "x86_64") -> Path:
        """Compiles and links a program, unless that was done; returns the binary for an ISA."""
        output = directory / f"{source.stem}.{self.name}"
        binary = output.with_name(f"{output.name}.{isa}") if self.pair else output
        if not binary.exists():
            run([*self.compiler, *CFLAGS, source, *LIBRARIES, "-o", output])
        return binary

    def compile(self, source: Path, output: Path) -> None:
        """Compiles one file to an object."""
        run([*self.compiler, *CFLAGS, "-c", source, "-o", output])


WITH_PASS = Variant("pass", (COMPILER, LEVEL))
PLAIN = Variant("plain", (COMPILER, "-Xtransproc", "--plain", LEVEL))
"""The same front end, optimiser, back ends and libc, without sites."""
NATIVE = Variant("native", ("clang-19", LEVEL, "-static"), pair=False)
"""The front end for x86_64 itself, and the host's C library."""


def prepare() -> None:
    """Builds the toolchain with both libraries, so that no compilation that is timed has to wait for that."""
    toolchain(plain=True)


def within(pid: int) -> list[str]:
    """What stands before criu, for a dump in the program's own mount namespace (runtime/tool/shared.h), as ours is."""
    return ["nsenter", "--target", str(pid), "--mount", "--"]

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instruction set architectures, as data: the only package that knows them apart."""

from __future__ import annotations

from transproc.errors import UnsupportedError
from transproc.isa.aarch64 import AARCH64
from transproc.isa.base import REGISTER_SIZE, Isa, Register, SystemCalls
from transproc.isa.floating import FloatingException, FloatingState, Rounding
from transproc.isa.x86_64 import X86_64

__all__ = [
    "AARCH64",
    "ALL",
    "REGISTER_SIZE",
    "X86_64",
    "FloatingException",
    "FloatingState",
    "Isa",
    "Register",
    "Rounding",
    "SystemCalls",
    "by_machine",
    "by_mtype",
    "by_name",
]

ALL = (X86_64, AARCH64)


def by_name(name: str) -> Isa:
    """The ISA with a name; `UnsupportedError` if there is none."""
    for isa in ALL:
        if isa.name == name:
            return isa
    raise UnsupportedError(f"isa {name!r} is unknown, expected one of: {', '.join(isa.name for isa in ALL)}")


def by_machine(machine: int) -> Isa:
    """The ISA of an ELF file's e_machine."""
    for isa in ALL:
        if isa.machine == machine:
            return isa
    raise UnsupportedError(
        f"ELF machine {machine} is unknown, expected one of: {', '.join(str(isa.machine) for isa in ALL)}"
    )


def by_mtype(mtype: int) -> Isa:
    """The ISA of a CRIU core's mtype."""
    for isa in ALL:
        if isa.mtype == mtype:
            return isa
    raise UnsupportedError(
        f"CRIU core type {mtype} is unknown, expected one of: {', '.join(str(isa.mtype) for isa in ALL)}"
    )

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C library's headers: musl's with the overlay's, and the numbers of system calls that all ISAs share."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from transproc.errors import BinaryError
from transproc.run import run
from transproc.toolchain.making import RUNTIME

Change = tuple[str, str]
"""A text, and what is there in its place."""

OVERLAY = RUNTIME / "libc"
ALLTYPES = "alltypes.h"

HIDDEN = {"fstat", "newfstatat"}
"""System calls whose struct differs between kernels: musl uses statx when it does not know them."""

QUIET = {
    "sys/socket.h": (
        ">= __MHDR_END(mhdr) - (unsigned char *)(cmsg)",
        ">= (size_t)(__MHDR_END(mhdr) - (unsigned char *)(cmsg))",
    ),
    "sched.h": (
        "#define CPU_ISSET_S(i, size, set) __CPU_op_S(i, size, set, &)",
        "#define CPU_ISSET_S(i, size, set) (__CPU_op_S(i, size, set, &) != 0)",
    ),
}
"""Macros of musl that warn where a program uses them, and the same without: glibc's are silent, and -Werror is common."""

MORE = {
    "math.h": "bits/more_math.h",
    "stdio.h": "bits/inline_stdio.h",
    "stdlib.h": "bits/inline_stdlib.h",
}
"""Headers of musl that end with what glibc's have and its have not: functions in line, and newer ones."""

CLANGS = ("tgmath.h",)
"""Headers of musl that are left out for clang's, for the same reason."""


def install(musl: Path, include: Path) -> None:
    """Public headers: musl's, the overlay's, the generic bits, the overlay's bits, and the generated ones."""
    shutil.copytree(musl / "include", include, ignore=shutil.ignore_patterns("*.in", *CLANGS))
    for name, silent in QUIET.items():
        change(include / name, silent)
    for name, more in MORE.items():
        with (include / name).open("a") as file:
            file.write(f"\n#include <{more}>\n")
    for header in OVERLAY.glob("include/*.h"):
        shutil.copyfile(header, include / header.name)
    bits = include / "bits"
    bits.mkdir(exist_ok=True)
    for place in (musl / "arch/generic/bits", OVERLAY / "include/bits"):
        for header in place.glob("*.h"):
            shutil.copyfile(header, bits / header.name)
    shutil.copytree(RUNTIME / "include" / "transproc", include / "transproc")
    _install_alltypes(musl, bits)
    lines = [f"#define __NR_{name} {number}" for name, number in neutral_numbers(musl).items()]
    lines += [line.replace("__NR_", "SYS_", 1) for line in lines]
    (bits / "syscall.h").write_text("\n".join(lines) + "\n")


def _install_alltypes(musl: Path, bits: Path) -> None:
    """As musl's tools/mkalltypes.sed: TYPEDEF, STRUCT and UNION lines become guarded definitions."""
    inputs = [OVERLAY / "include/bits/alltypes.h.in", musl / "include/alltypes.h.in"]
    script = musl / "tools/mkalltypes.sed"
    (bits / ALLTYPES).write_bytes(run(["sed", "-f", script, *inputs]).stdout)


def numbers(musl: Path, isa: str) -> dict[str, int]:
    """The kernel's system calls on one ISA, as musl knows them: name to number."""
    text = (musl / f"arch/{isa}/bits/syscall.h.in").read_text()
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", text)}


def neutral_numbers(musl: Path) -> dict[str, int]:
    """The asm-generic numbers, which aarch64 has, without those that must not be used."""
    return {name: n for name, n in numbers(musl, "aarch64").items() if name not in HIDDEN}


def change(path: Path, what: Change) -> None:
    """Raises `BinaryError` if the text is not there: it is another version."""
    text = path.read_text()
    if what[0] not in text:
        raise BinaryError(f"has no {what[0]}", path=path)
    path.write_text(text.replace(*what))

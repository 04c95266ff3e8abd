# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What of the C library belongs to one ISA: assembly, converted system calls, loops for better processors."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from transproc.run import run
from transproc.scratch import Scratch
from transproc.toolchain import dual
from transproc.toolchain.archive import AR
from transproc.toolchain.compile import CLANG, assemble
from transproc.toolchain.libc import headers
from transproc.toolchain.making import RUNTIME

ARCH = RUNTIME / "src" / "arch"

CONVERTED = {
    *("epoll_ctl", "epoll_pwait", "epoll_pwait2", "fcntl", "openat", "openat2", "pipe2", "mq_open", "semctl"),
    *("clone", "fanotify_init", "open_by_handle_at"),
}
"""System calls that x86_64's leaf converts (x86_64_syscalls.c)."""

WIDER = {"x86_64": ("-mavx2", "-mbmi"), "aarch64": ()}
"""For what `runtime/libc/wide` is compiled: what `__transproc_abilities` of each ISA's assembly looks for."""


def syscall_table(musl: Path) -> str:
    """Assembly: neutral number to x86_64's number + 1, with bit 15 where structures or flags are converted; 0: unknown."""
    known = headers.numbers(musl, "x86_64")
    neutral = {n: name for name, n in headers.neutral_numbers(musl).items() if name in known}
    lines = [
        "\t.globl __transproc_syscall_table, __transproc_syscall_limit",
        f"\t.set __transproc_syscall_limit, {max(neutral) + 1}",
        '\t.section .rodata.transproc_syscalls,"a",@progbits',
        "\t.balign 2",
        "__transproc_syscall_table:",
    ]
    for number in range(max(neutral) + 1):
        name = neutral.get(number)
        value = 0 if name is None else known[name] + 1 | (0x8000 if name in CONVERTED else 0)
        lines.append(f"\t.short {value:#x}" + (f" // {name}" if name else ""))
    return "\n".join([*lines, '\t.section .note.GNU-stack,"",@progbits', ""])


def build(musl: Path, root: Path, builtins: dict[str, Path]) -> None:
    """lib/transproc.o, lib/memory.o and rt/<isa>/."""
    assemble({isa: ARCH / f"{isa}.S" for isa in dual.MACHINES}, root / "lib" / "transproc.o")
    memory = {isa: ARCH / f"{isa}_memory.S" for isa in dual.MACHINES}
    assemble(memory, root / "lib" / "memory.o")
    for isa, library in builtins.items():
        (root / "rt" / isa).mkdir(parents=True)
        shutil.copyfile(library, root / "rt" / isa / library.name)
        _make_wide(isa, root / "rt" / isa / "wide.a")
    table = root / "rt" / "x86_64" / "table.s"
    table.write_text(syscall_table(musl))
    _native("x86_64", table, root / "rt" / "x86_64" / "table.o")
    table.unlink()
    _native("x86_64", ARCH / "x86_64_syscalls.c", root / "rt" / "x86_64" / "syscalls.o")


def _make_wide(isa: str, library: Path) -> None:
    """The loops of the strings for better processors, which the ISA's part of a program takes where others call them."""
    words = [*WIDER[isa], "-DTRANSPROC_WIDE", f"-I{headers.OVERLAY / 'internal'}"]
    with Scratch() as work:
        made = [work / f"{source.stem}.o" for source in sorted((headers.OVERLAY / "wide").glob("*.c"))]
        for output in made:
            _native(isa, headers.OVERLAY / "wide" / f"{output.stem}.c", output, words)
        run([AR, "rcs", library, *made])


def _native(isa: str, source: Path, output: Path, more: Iterable[str] = ()) -> None:
    """Compiles what belongs to one ISA alone."""
    options = [
        "-O2",
        "-std=c11",
        "-ffreestanding",
        "-fno-builtin",
        "-fno-pic",
        "-fno-stack-protector",
        "-fno-asynchronous-unwind-tables",
        *more,
    ]
    run([CLANG, f"--target={isa}-linux-musl", *options, "-c", "-o", output, source])

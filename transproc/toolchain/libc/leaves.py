# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of the C library that never reach an equivalence point: which, and that they call no others."""

from __future__ import annotations

from pathlib import Path

from transproc.errors import BinaryError
from transproc.toolchain import archive
from transproc.toolchain.libc import allocator

DIRECTORIES = {"atomic", "complex", "ctype", "errno", "fenv", "math", "multibyte", "setjmp", "string"}
"""Of musl's sources: all but `NOT_LEAF` are leaves."""
NOT_LEAF = {
    "errno/strerror.c",
    "string/strdup.c",
    "string/strndup.c",
    "string/strerror_r.c",
    "string/strsignal.c",
    "string/wcsdup.c",
}
"""They allocate, or look messages up."""

FILES = {
    allocator.SOURCE,
    "internal/processor.c",
    "internal/syscall_ret.c",
    "network/htonl.c",
    "network/htons.c",
    "network/ntohl.c",
    "network/ntohs.c",
    "prng/__rand48_step.c",
    "prng/drand48.c",
    "prng/lcong48.c",
    "prng/lrand48.c",
    "prng/mrand48.c",
    "prng/rand.c",
    "prng/rand_r.c",
    "prng/__seed48.c",
    "prng/seed48.c",
    "prng/srand48.c",
    "start/prepare.c",
    "stdlib/abs.c",
    "stdlib/atoi.c",
    "stdlib/atol.c",
    "stdlib/atoll.c",
    "stdlib/div.c",
    "stdlib/imaxabs.c",
    "stdlib/imaxdiv.c",
    "stdlib/labs.c",
    "stdlib/ldiv.c",
    "stdlib/llabs.c",
    "stdlib/lldiv.c",
    "thread/pthread_equal.c",
    "thread/pthread_self.c",
}
"""Modules that never block, call back or loop for long: no sites in them, and calls to them are none."""

ASSEMBLY = [
    "memcpy",
    "memmove",
    "memset",
    "setjmp",
    "_setjmp",
    "__setjmp",
    "sigsetjmp",
    "__sigsetjmp",
    "longjmp",
    "_longjmp",
    "__transproc_setjmp",
    "__transproc_sigsetjmp",
    "vfork",
    "__set_thread_area",
    "__transproc_isa",
    "__transproc_context_read",
    "__transproc_context_write",
    "__transproc_fp_read",
    "__transproc_fp_write",
    "__transproc_syscall_cancel",
    "__unmapself",
]

ASKED = "__transproc_processor"
"""What is known of the processor until the next move."""


def is_leaf(name: str) -> bool:
    """Whether a file of the library holds only leaf functions."""
    return name in FILES or (name.split("/", maxsplit=1)[0] in DIRECTORIES and name not in NOT_LEAF)


def check(outputs: dict[str, Path]) -> None:
    """A leaf may call only leaves, and only leaves may ask the processor: fails with the first file that does otherwise.

    (Data may be anybody's.)
    """
    offers: dict[str, str] = {}
    symbols = {name: archive.symbols(path.read_bytes(), str(path)) for name, path in outputs.items()}
    functions = {name: archive.functions(path.read_bytes(), str(path)) for name, path in outputs.items()}
    for name in outputs:
        if not is_leaf(name):
            offers.update(dict.fromkeys(functions[name], name))
            if ASKED in symbols[name].wanted:
                raise BinaryError(
                    f"module {name} asks the processor, and is no leaf: it could move before the answer counts"
                )
    for name in filter(is_leaf, outputs):
        for wanted in symbols[name].wanted:
            if wanted in offers:
                raise BinaryError(f"leaf module {name} calls {wanted} of {offers[wanted]}, which is none")

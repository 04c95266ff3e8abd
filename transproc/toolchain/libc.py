# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the C library: musl's sources with the neutral overlay of `runtime/libc`, each file once, for both ISAs.

A file of the overlay replaces the one of the same path in musl's `src/`; others are additions. What only assembly can do is in
`runtime/src/arch`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from transproc.errors import BinaryError, CompileError
from transproc.run import run
from transproc.scratch import Scratch
from transproc.toolchain import archive, dual
from transproc.toolchain.compile import CLANG, Codegen, assemble, compile_c
from transproc.toolchain.making import RUNTIME, parallel

OVERLAY = RUNTIME / "libc"
ARCH = RUNTIME / "src" / "arch"
AR = "llvm-ar-19"
ALLTYPES = "alltypes.h"

IN_ASSEMBLY = {
    "env/__reset_tls.c",  # in the overlay's __init_tls.c
    "process/vfork.c",
    "setjmp/longjmp.c",
    "setjmp/setjmp.c",
    "signal/restore.c",
    "signal/sigsetjmp.c",
    "string/memcpy.c",
    "string/memmove.c",
    "string/memset.c",
    "thread/__set_thread_area.c",
    "thread/__unmapself.c",
    "thread/syscall_cp.c",
}
"""musl's files that the assembly replaces."""

LEAF_DIRECTORIES = {"atomic", "complex", "ctype", "errno", "fenv", "math", "multibyte", "setjmp", "string"}
NOT_LEAF = {
    "errno/strerror.c",
    "string/strdup.c",
    "string/strndup.c",
    "string/strerror_r.c",
    "string/strsignal.c",
    "string/wcsdup.c",
}
"""They allocate, or look messages up."""

ALLOCATOR = "malloc/allocator.c"
"""The overlay's file that includes all of mimalloc."""

MIMALLOC = {
    "include/mimalloc-types.h": (
        ("#define MI_BIN_HUGE  (73U)", "#define MI_BIN_HUGE  (HEAP_HUGE_BIN)"),
        (
            "  bool                  no_reclaim;",
            "  bool no_reclaim; uint8_t runs[HEAP_RUNS]; mi_page_t* kept; unsigned begin;",
        ),
    ),
    "src/init.c": (("#define MI_PAGE_QUEUES_EMPTY ", "#define MI_PAGE_QUEUES_OWN "),),
    "src/page-queue.c": (
        (
            "static inline uint8_t mi_bin(size_t size) {",
            "static inline uint8_t mi_bin(size_t size) {\n"
            "  if (size > MI_SMALL_SIZE_MAX && size <= MI_MEDIUM_OBJ_SIZE_MAX) return heap_bin(size);",
        ),
    ),
    "src/page.c": (
        (
            "    return mi_find_free_page(heap, size);",
            "    return mi_find_free_page(heap, heap_size(heap->runs, size));",
        ),
        ("  _mi_page_free(page, pq, false);", "  if (!heap_keep(page)) _mi_page_free(page, pq, false);"),
        (
            " segments_tld = &heap->tld->segments;\n  mi_page_queue_remove(pq, page);",
            " segments_tld = &heap->tld->segments;\n  heap_forget(heap, page);\n  mi_page_queue_remove(pq, page);",
        ),
        (
            "  mi_page_t* page = mi_page_fresh_alloc(heap, pq, block_size, page_alignment);",
            "  mi_page_t* page = is_huge ? NULL : heap_take(heap, block_size);\n"
            "  if (page == NULL) page = mi_page_fresh_alloc(heap, pq, block_size, page_alignment);",
        ),
    ),
}
"""What is changed in mimalloc's source before it is compiled: more sizes, and a large block is kept (allocator.c says why)."""

LEAF_FILES = {
    ALLOCATOR,
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

LEAF_ASSEMBLY = [
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

CONVERTED = {
    *("epoll_ctl", "epoll_pwait", "epoll_pwait2", "fcntl", "openat", "openat2", "pipe2", "mq_open", "semctl"),
    *("clone", "fanotify_init", "open_by_handle_at"),
}
"""System calls that x86_64's leaf converts (x86_64_syscalls.c)."""

HIDDEN = {"fstat", "newfstatat"}
"""System calls whose struct differs between kernels: musl uses statx when it does not know them."""

WIDER = {"x86_64": ("-mavx2", "-mbmi"), "aarch64": ()}
"""For what `runtime/libc/wide` is compiled: what `__transproc_abilities` of each ISA's assembly looks for."""

ASKED = "__transproc_processor"
"""What is known of the processor until the next move."""

EMPTY = ("m", "atomic", "rt", "pthread", "crypt", "util", "xnet", "resolv", "dl")
C_FLAGS = [
    "-O2",
    "-std=c99",
    "-ffreestanding",
    "-nostdinc",
    "-D_XOPEN_SOURCE=700",
    "-fno-strict-aliasing",
    "-w",
]

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

IN_LINE = {"stdio.h": "bits/inline_stdio.h", "stdlib.h": "bits/inline_stdlib.h"}
"""Headers of musl that end with functions in line, as glibc's have them."""

CLANGS = ("tgmath.h",)
"""Headers of musl that are left out for clang's, for the same reason."""


def sources(musl: Path) -> dict[str, Path]:
    """Path within `src/` of every file of the library, and where it is."""
    found = {}
    for path in sorted(musl.glob("src/*/*.c")):
        name = str(path.relative_to(musl / "src"))
        if name not in IN_ASSEMBLY:
            found[name] = path
    for path in sorted(OVERLAY.glob("src/*/*.c")):
        found[str(path.relative_to(OVERLAY / "src"))] = path
    return found


def is_leaf(name: str) -> bool:
    """Whether a file of the library holds only leaf functions."""
    return name in LEAF_FILES or (name.split("/", maxsplit=1)[0] in LEAF_DIRECTORIES and name not in NOT_LEAF)


def build(musl: Path, mimalloc: Path, root: Path, *, plain: bool, lib: Path | None = None) -> int:
    """Headers, libc.a, crt1.o and leaf.txt; returns the number of files compiled."""
    lib = lib or root / "lib"
    lib.mkdir(exist_ok=True)
    if not (root / "include").exists():
        install_headers(musl, root / "include")
    objects = root / ("objects-plain" if plain else "objects")
    shutil.rmtree(objects, ignore_errors=True)
    objects.mkdir()
    include = _include_flags(musl, root)
    allocator = _allocator_flags(_changed_mimalloc(mimalloc, objects / "mimalloc"))
    leaf_list = root / "leaf.txt"
    files = sources(musl)
    outputs = {name: objects / (name.replace("/", "-")[:-2] + ".o") for name in files}

    def compile_files(names: list[str], codegen: Codegen) -> None:
        options = [*C_FLAGS, *include]
        own = {ALLOCATOR: allocator}
        parallel(
            partial(_compile, files[name], outputs[name], [*options, *own.get(name, [])], codegen)
            for name in names
        )

    base = Codegen(root / "bin" / "transproc-codegen", plain=plain)
    leaves = [name for name in files if is_leaf(name)]
    compile_files(leaves, Codegen(base.program, plain=plain, leaf=True))
    if not plain:
        names = _defined(outputs[name] for name in leaves) | set(LEAF_ASSEMBLY)
        leaf_list.write_text("\n".join(sorted(names)) + "\n")
    compile_files(
        [n for n in files if not is_leaf(n)], Codegen(base.program, plain=plain, leaf_list=leaf_list)
    )
    check_leaves({name: outputs[name] for name in files})
    outputs.pop("start/start.c").rename(lib / "crt1.o")
    _make_archive(lib, outputs.values())
    shutil.rmtree(objects)
    return len(files)


def _compile(source: Path, output: Path, options: list[str], codegen: Codegen) -> None:
    try:
        compile_c(source, output, options, codegen)
    except CompileError as error:
        raise CompileError(f"{source}: {error.message}") from error


def _defined(objects: Iterable[Path]) -> set[str]:
    return {name for path in objects for name in archive.symbols(path.read_bytes(), str(path)).defined}


def check_leaves(outputs: dict[str, Path]) -> None:
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


def _make_archive(lib: Path, objects: Iterable[Path]) -> None:
    run([AR, "rcs", lib / "libc.a", *sorted(objects)])
    archive.write_index(lib / "libc.a")
    for name in EMPTY:
        (lib / f"lib{name}.a").write_bytes(archive.MAGIC)


def _include_flags(musl: Path, root: Path) -> list[str]:
    """As musl's Makefile has them, with the overlay first."""
    internal = ["src/include", "src/internal"]
    places = [
        OVERLAY / "internal",
        OVERLAY / "include",
        musl / "arch/generic",
        *(musl / place for place in internal),
    ]
    version = root / "include-internal"
    version.mkdir(exist_ok=True)
    (version / "version.h").write_text(f'#define VERSION "{(musl / "VERSION").read_text().strip()}"\n')
    return [f"-I{place}" for place in [*places, version, root / "include"]]


def _allocator_flags(mimalloc: Path) -> list[str]:
    resources = run([CLANG, "-print-resource-dir"]).stdout.decode().strip()
    own = [f"-I{mimalloc / 'include'}", f"-I{mimalloc / 'src'}"]
    return ["-std=c11", "-DNDEBUG", *own, "-isystem", f"{resources}/include"]  # its stdatomic.h


def _changed_mimalloc(mimalloc: Path, copy: Path) -> Path:
    for part in ("include", "src"):
        shutil.copytree(mimalloc / part, copy / part)
    for name, changes in MIMALLOC.items():
        for change in changes:
            _change(copy / name, change)
    return copy


def _change(path: Path, change: tuple[str, str]) -> None:
    text = path.read_text()
    if change[0] not in text:
        raise BinaryError(f"has no {change[0]}", path=path)
    path.write_text(text.replace(*change))


def install_headers(musl: Path, include: Path) -> None:
    """Public headers: musl's, the overlay's, the generic bits, the overlay's bits, and the generated ones."""
    shutil.copytree(musl / "include", include, ignore=shutil.ignore_patterns("*.in", *CLANGS))
    for name, change in QUIET.items():
        _change(include / name, change)
    for name, functions in IN_LINE.items():
        with (include / name).open("a") as file:
            file.write(f"\n#include <{functions}>\n")
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


def _numbers(musl: Path, isa: str) -> dict[str, int]:
    text = (musl / f"arch/{isa}/bits/syscall.h.in").read_text()
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", text)}


def neutral_numbers(musl: Path) -> dict[str, int]:
    """The asm-generic numbers, which aarch64 has, without those that must not be used."""
    return {name: n for name, n in _numbers(musl, "aarch64").items() if name not in HIDDEN}


def syscall_table(musl: Path) -> str:
    """Assembly: neutral number to x86_64's number + 1, with bit 15 where structures or flags are converted; 0: unknown."""
    native = _numbers(musl, "x86_64")
    neutral = {n: name for name, n in neutral_numbers(musl).items() if name in native}
    lines = [
        "\t.globl __transproc_syscall_table, __transproc_syscall_limit",
        f"\t.set __transproc_syscall_limit, {max(neutral) + 1}",
        '\t.section .rodata.transproc_syscalls,"a",@progbits',
        "\t.balign 2",
        "__transproc_syscall_table:",
    ]
    for number in range(max(neutral) + 1):
        name = neutral.get(number)
        value = 0 if name is None else native[name] + 1 | (0x8000 if name in CONVERTED else 0)
        lines.append(f"\t.short {value:#x}" + (f" // {name}" if name else ""))
    return "\n".join([*lines, '\t.section .note.GNU-stack,"",@progbits', ""])


def build_runtime(musl: Path, root: Path, builtins: dict[str, Path]) -> None:
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
    words = [*WIDER[isa], "-DTRANSPROC_WIDE", f"-I{OVERLAY / 'internal'}"]
    with Scratch() as work:
        made = [work / f"{source.stem}.o" for source in sorted((OVERLAY / "wide").glob("*.c"))]
        for output in made:
            _native(isa, OVERLAY / "wide" / f"{output.stem}.c", output, words)
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

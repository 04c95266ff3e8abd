# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the C library: musl's sources with the neutral overlay of `runtime/libc`, each file once, for both ISAs.

A file of the overlay replaces the one of the same path in musl's `src/`; others are additions. What only assembly can do is in
`runtime/src/arch` (`native.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from transproc.errors import CompileError
from transproc.run import run
from transproc.toolchain import archive
from transproc.toolchain.compile import Codegen, compile_c
from transproc.toolchain.libc import allocator, headers, leaves
from transproc.toolchain.making import parallel

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


def sources(musl: Path) -> dict[str, Path]:
    """Path within `src/` of every file of the library, and where it is."""
    found = {}
    for path in sorted(musl.glob("src/*/*.c")):
        name = str(path.relative_to(musl / "src"))
        if name not in IN_ASSEMBLY:
            found[name] = path
    for path in sorted(headers.OVERLAY.glob("src/*/*.c")):
        found[str(path.relative_to(headers.OVERLAY / "src"))] = path
    return found


def build(musl: Path, mimalloc: Path, root: Path, *, plain: bool, lib: Path | None = None) -> int:
    """Headers, libc.a, crt1.o and leaf.txt; returns the number of files compiled."""
    lib = lib or root / "lib"
    lib.mkdir(exist_ok=True)
    if not (root / "include").exists():
        headers.install(musl, root / "include")
    objects = root / ("objects-plain" if plain else "objects")
    shutil.rmtree(objects, ignore_errors=True)
    objects.mkdir()
    include = _include_flags(musl, root)
    changed = allocator.changed(mimalloc, objects / "mimalloc")
    own = {allocator.SOURCE: allocator.flags(changed)}
    leaf_list = root / "leaf.txt"
    files = sources(musl)
    outputs = {name: objects / (name.replace("/", "-")[:-2] + ".o") for name in files}

    def compile_files(names: list[str], codegen: Codegen) -> None:
        options = [*C_FLAGS, *include]
        parallel(
            partial(_compile, files[name], outputs[name], [*options, *own.get(name, [])], codegen)
            for name in names
        )

    base = Codegen(root / "bin" / "transproc-codegen", plain=plain)
    leaf = [name for name in files if leaves.is_leaf(name)]
    compile_files(leaf, Codegen(base.program, plain=plain, leaf=True))
    if not plain:
        names = _defined(outputs[name] for name in leaf) | set(leaves.ASSEMBLY)
        leaf_list.write_text("\n".join(sorted(names)) + "\n")
    compile_files(
        [n for n in files if not leaves.is_leaf(n)], Codegen(base.program, plain=plain, leaf_list=leaf_list)
    )
    leaves.check({name: outputs[name] for name in files})
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


def _make_archive(lib: Path, objects: Iterable[Path]) -> None:
    run([archive.AR, "rcs", lib / "libc.a", *sorted(objects)])
    archive.write_index(lib / "libc.a")
    for name in EMPTY:
        (lib / f"lib{name}.a").write_bytes(archive.MAGIC)


def _include_flags(musl: Path, root: Path) -> list[str]:
    """As musl's Makefile has them, with the overlay first."""
    internal = ["src/include", "src/internal"]
    places = [
        headers.OVERLAY / "internal",
        headers.OVERLAY / "include",
        musl / "arch/generic",
        *(musl / place for place in internal),
    ]
    version = root / "include-internal"
    version.mkdir(exist_ok=True)
    (version / "version.h").write_text(f'#define VERSION "{(musl / "VERSION").read_text().strip()}"\n')
    return [f"-I{place}" for place in [*places, version, root / "include"]]

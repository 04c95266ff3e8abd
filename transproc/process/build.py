"""Builds our small static programs, for any ISA: transproc-stop, which runs, stops and continues processes on a node, and
transproc-self, which migrates a program onto itself.

They are freestanding C (`runtime/tool/`, `runtime/self/`), so clang and lld on the host suffice; results are kept in the cache.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from transproc.isa import by_name
from transproc.paths import SOURCE, digest, home
from transproc.run import output, run

_SOURCES = SOURCE / "runtime" / "tool"
_SHARED = SOURCE / "runtime" / "include"
_SELF = SOURCE / "runtime" / "self"
_SELF_FLAGS = """-Wno-option-ignored -mno-outline-atomics -Wl,--image-base=0x70000000"""
"""Above any program, which it shares an address space with; no library of atomic operations."""
_FLAGS = """
-std=c2x -O2 -Wall -Wextra -Werror -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -fno-pie
-fno-asynchronous-unwind-tables -nostdlib -nostdinc -static -fuse-ld=lld-19 -Wl,--build-id=none
"""


def build(isa: str) -> Path:
    """transproc-stop for an ISA, compiled if its sources have changed.

    Raises `UnsupportedError` for an unknown ISA, `CommandError` with the compiler's messages.
    """
    return _build("transproc-stop", by_name(isa).name, sorted(_SOURCES.glob("*.c")), [_SOURCES, _SHARED], [])


def build_self(isa: str) -> Path:
    """transproc-self for an ISA; see `build`."""
    shared = [_SOURCES / "base.c", _SOURCES / "index.c"]
    sources = [*sorted(_SELF.glob("*.c")), *shared]
    return _build(
        "transproc-self", by_name(isa).name, sources, [_SOURCES, _SHARED, _SELF], _SELF_FLAGS.split()
    )


def _build(
    name: str, isa: str, sources: Sequence[Path], directories: Sequence[Path], more: Sequence[str]
) -> Path:
    flags = [*_FLAGS.split(), *more]
    directory = home() / "tool"
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.{isa}.{digest(directories, isa, *flags)}"
    if not path.exists():
        headers = Path(output(["clang-19", "-print-resource-dir"]).strip()) / "include"
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        include = ["-isystem", str(headers)]
        include += [f"-I{place}" for d in directories for place in (d, d / isa)]
        run(["clang-19", f"--target={isa}-linux-gnu", *flags, *include, *sources, "-o", draft])
        draft.replace(path)
    return path

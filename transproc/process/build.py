# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds our small static programs, for any ISA: transproc-stop, which runs, stops and continues processes on a node, and
transproc-self, which migrates a program onto itself.

They are freestanding C (`runtime/tool/`, `runtime/self/`), so clang and lld on the host suffice; results are kept in the cache.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from transproc.isa import by_name
from transproc.paths import SOURCE, digest, home
from transproc.run import output, run
from transproc.scratch import Scratch

TOOL = SOURCE / "runtime" / "tool"
_SHARED = SOURCE / "runtime" / "include"
_SELF = SOURCE / "runtime" / "self"
_SELF_FLAGS = """-Wno-option-ignored -mno-outline-atomics -Wl,--image-base=0x70000000"""
"""Above any program, which it shares an address space with; no library of atomic operations."""
_FLAGS = """
-std=c2x -O2 -Wall -Wextra -Werror -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -fno-pie
-fno-asynchronous-unwind-tables -nostdlib -nostdinc -static -fuse-ld=lld-19 -Wl,--build-id=none
-Wno-unused-command-line-argument
"""


_ONE_BUILDS = threading.Lock()
"""Connections to several nodes begin at the same time."""


def build(isa: str) -> Path:
    """transproc-stop for an ISA, compiled if its sources have changed since it was, or since this process asked first.

    Raises `UnsupportedError` for an unknown ISA, `CommandError` with the compiler's messages.
    """
    with _ONE_BUILDS:
        return _stop(by_name(isa).name, home())


@cache
def _stop(isa: str, _cache: Path) -> Path:
    return _build("transproc-stop", isa, tool_sources(), [TOOL, _SHARED], [])


def build_self(isa: str) -> Path:
    """transproc-self for an ISA; see `build`."""
    shared = [TOOL / name for name in ("base.c", "memory.c", "string.c", "index.c")]
    sources = [*sorted(_SELF.glob("*.c")), *shared]
    return _build("transproc-self", by_name(isa).name, sources, [TOOL, _SHARED, _SELF], _SELF_FLAGS.split())


def tool_sources() -> list[Path]:
    """The C files of transproc-stop."""
    return sorted(TOOL.glob("*.c"))


def compile_program(
    isa: str,
    sources: Sequence[Path],
    path: Path,
    *,
    directories: Sequence[Path] = (),
    more: Sequence[str] = (),
) -> None:
    """Compiles freestanding C to a static program at `path`, with the headers of `directories`, by default the tool's.

    On all cores: whoever uses a node for the first time waits for it.
    """
    headers = Path(output(["clang-19", "-print-resource-dir"]).strip()) / "include"
    include = ["-isystem", str(headers)]
    include += [f"-I{place}" for d in directories or (TOOL, _SHARED) for place in (d, d / isa)]
    words = ["clang-19", f"--target={isa}-linux-gnu", *_FLAGS.split(), *more]
    with Scratch() as work, ThreadPoolExecutor(os.cpu_count()) as side:
        objects = [work / f"{number}.o" for number in range(len(sources))]
        list(side.map(lambda one, made: run([*words, *include, "-c", one, "-o", made]), sources, objects))
        run([*words, *objects, "-o", path])


def _build(
    name: str, isa: str, sources: Sequence[Path], directories: Sequence[Path], more: Sequence[str]
) -> Path:
    directory = home() / "tool"
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.{isa}.{digest(directories, isa, *_FLAGS.split(), *more)}"
    if not path.exists():
        with (directory / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with its process
            # One for each program: whoever was ended while it compiled has left no other.
            draft = directory / f"{name}.{isa}~"
            if not path.exists():
                compile_program(isa, sources, draft, directories=directories, more=more)
                draft.replace(path)
    return path

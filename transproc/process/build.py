"""Builds transproc-stop, the small static program that runs, stops and continues processes on a node, for any ISA.

It is freestanding C (`runtime/tool/`), so clang and lld on the host suffice; the result is kept in the cache.
"""

from __future__ import annotations

import os
from pathlib import Path

from transproc.isa import by_name
from transproc.paths import SOURCE, digest, home
from transproc.run import output, run

_SOURCES = SOURCE / "runtime" / "tool"
_FLAGS = """
-std=c2x -O2 -Wall -Wextra -Werror -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -fno-pie
-fno-asynchronous-unwind-tables -nostdlib -nostdinc -static -fuse-ld=lld-19 -Wl,--build-id=none
"""


def build(isa: str) -> Path:
    """The tool for an ISA, compiled if its sources have changed.

    Raises `UnsupportedError` for an unknown ISA, `CommandError` with the compiler's messages.
    """
    isa, flags = by_name(isa).name, _FLAGS.split()
    directory = home() / "tool"
    directory.mkdir(exist_ok=True)
    path = directory / f"transproc-stop.{isa}.{digest([_SOURCES], isa, *flags)}"
    if not path.exists():
        headers = Path(output(["clang-19", "-print-resource-dir"]).strip()) / "include"
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        include = ["-isystem", str(headers), f"-I{_SOURCES}", f"-I{_SOURCES / isa}"]
        run(
            [
                "clang-19",
                f"--target={isa}-linux-gnu",
                *flags,
                *include,
                *sorted(_SOURCES.glob("*.c")),
                "-o",
                draft,
            ]
        )
        draft.replace(path)
    return path

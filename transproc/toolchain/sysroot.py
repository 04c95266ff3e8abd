# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The sysroot: the compiler pass, and a C library for both ISAs compiled by it.

    bin/transproc-codegen  lib/transproc.so        the pass (from llvm/)
    include/                                       neutral headers
    lib/libc.a lib/crt1.o lib/transproc.o          dual objects; libm.a and its like are empty
    rt/<isa>/                                      what one ISA needs in addition: compiler-rt, converted system calls
    leaf.txt                                       functions that never reach an equivalence point

Everything is made of llvm/, runtime/ and musl's source, in a directory named by their digest: it is never changed once
it is there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from transproc.errors import TransprocError
from transproc.paths import digest, home
from transproc.toolchain import making

OVERRIDE = "TRANSPROC_TOOLCHAIN"
"""Environment variable: use the toolchain in this directory as it is."""


@dataclass(frozen=True)
class Toolchain:
    """A finished toolchain; `plain` names the variant of the library without sites."""

    root: Path
    plain: bool = False

    @property
    def codegen(self) -> Path:
        """`transproc-codegen`."""
        return self.root / "bin" / "transproc-codegen"

    @property
    def plugin(self) -> Path:
        """The pass plugin for opt."""
        return self.root / "lib" / "transproc.so"

    @property
    def include(self) -> Path:
        """The C library's headers."""
        return self.root / "include"

    @property
    def lib(self) -> Path:
        """Archives and start files."""
        return self.root / ("lib-plain" if self.plain else "lib")

    @property
    def leaf_list(self) -> Path:
        """Names of functions that never reach an equivalence point."""
        return self.root / "leaf.txt"

    def runtime(self, isa: str) -> list[Path]:
        """Objects and archives that only one ISA's link needs."""
        return sorted((self.root / "rt" / isa).iterdir())


def toolchain(*, plain: bool = False) -> Toolchain:
    """The toolchain of this checkout; built (about two minutes) when missing. Raises `CommandError`, `CompileError`."""
    given = os.environ.get(OVERRIDE)
    root = Path(given) if given else _directory()
    if not (root / "complete").exists():
        if given:
            raise TransprocError(f"{root}: is not a toolchain", hint=f"unset {OVERRIDE}")
        from transproc.toolchain.build import build  # noqa: PLC0415 (seldom, and much)

        making.publish(root, build)
    found = Toolchain(root, plain)
    if plain and not (found.lib / "libc.a").exists():
        from transproc.toolchain.build import build_plain  # noqa: PLC0415

        making.publish(found.lib, lambda work: build_plain(root, work))
    return found


def _directory() -> Path:
    """Named by the digest of its sources; they are read again only if one of them has another time or size."""
    known = home() / "toolchain" / ".digest"
    state = making.state(making.sources())
    try:
        name, _, seen = known.read_text().partition("\n")
    except OSError:
        seen = ""
    if seen != state:
        name = digest(making.sources())
        known.parent.mkdir(parents=True, exist_ok=True)
        making.write(known, f"{name}\n{state}".encode())
    return home() / "toolchain" / name

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a program needs of the processor: section `.transproc.cpu` (docs/format.md, section 3), in the words of /proc/cpuinfo."""

from __future__ import annotations

from collections.abc import Collection

from transproc.binary.elf import Elf
from transproc.errors import UnsupportedError

SECTION = ".transproc.cpu"


def needed(elf: Elf) -> frozenset[str]:
    """Names of the abilities that the code of a binary may use; none for one of an earlier version."""
    return frozenset(bytes(elf.section(SECTION) or b"").decode(errors="replace").split())


def check(elf: Elf, node: str, abilities: Collection[str]) -> None:
    """Raises `UnsupportedError` if the node's processor lacks one. A node that does not tell any is taken to have all."""
    missing = needed(elf) - set(abilities)
    if abilities and missing:
        raise UnsupportedError(
            f"node {node}: its processor lacks {', '.join(sorted(missing))}, which the program was compiled for",
            hint="compile it for older processors (-march=x86-64-v2, -march=x86-64), or choose another node",
        )

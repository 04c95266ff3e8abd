# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions that are not migratable, as the compiler reported them: section `.transproc.pinned` (docs/format.md, section 3)."""

from __future__ import annotations

from transproc.binary.elf import Elf

SECTION = ".transproc.pinned"


def parse(section: bytes | memoryview) -> dict[str, str]:
    """Function name → reason, of the section's lines."""
    lines = bytes(section).replace(b"\0", b"").decode(errors="replace").splitlines()
    return dict(sorted((name, why) for name, _, why in (line.partition("\t") for line in lines) if name))


def of(elf: Elf) -> dict[str, str]:
    """Those of a linked binary that it still contains."""
    known = elf.symbols
    return {name: why for name, why in parse(elf.section(SECTION) or b"").items() if name in known}

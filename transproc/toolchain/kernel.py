# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernel's headers for programs (`<linux/...>`, `<asm/...>`): Debian's, with an `asm/` that belongs to no ISA.

The neutral ABI has the generic structures and numbers, so `asm/X.h` is `asm-generic/X.h`; what differs is in the overlay
(`runtime/libc/include/asm`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

ONE_ISA = {"ucontext.h"}
"""Generic headers that need definitions of one ISA: programs take the C library's."""


def install_headers(kernel: Path, overlay: Path, include: Path) -> None:
    """Adds the headers below `kernel` (a package's `usr/include`) to `include`; a file that is there already stays."""
    for place in sorted(kernel.iterdir()):
        if "-linux-" in place.name:  # the asm/ of one ISA
            continue
        for header in sorted(place.rglob("*.h")):
            target = include / header.relative_to(kernel)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(header, target)
    shutil.copytree(overlay, include / "asm")
    for header in sorted((kernel / "asm-generic").glob("*.h")):
        target = include / "asm" / header.name
        if not target.exists() and header.name not in ONE_ISA:
            target.write_text(f"#include <asm-generic/{header.name}>\n")

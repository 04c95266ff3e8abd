# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names of C++ functions as people write them (Itanium C++ ABI, 5.1), by LLVM's `llvm-cxxfilt`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable

from transproc.run import run

FILTER = "llvm-cxxfilt-19"
_MANGLED = "_Z"
_NAMES = re.compile(r"\b_Z[\w$]+")


def demangle(names: Iterable[str]) -> dict[str, str]:
    """What stands for each name; names of C stay as they are, and so do all where the filter is not installed."""
    known = {name: name for name in names}
    mangled = [name for name in known if name.startswith(_MANGLED)]
    if mangled and shutil.which(FILTER):
        text = "\n".join(mangled).encode()
        lines = run([FILTER], stdin=text).stdout.decode(errors="replace").splitlines()
        if len(lines) == len(mangled):
            known.update(zip(mangled, lines, strict=True))
    return known


def readable(lines: Iterable[str]) -> list[str]:
    """Lines of text, with each name in them as people write it."""
    found = list(lines)
    names = demangle(name for line in found for name in _NAMES.findall(line))
    return [_NAMES.sub(lambda name: names[name[0]], line) for line in found]

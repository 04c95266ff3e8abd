# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tentative definitions (-fcommon): variables that several objects declare without `extern` and none initialises.

Each object has a *common* symbol with a size and an alignment (System V gABI, chapter 4, "Symbol Table"), for which a linker
makes one variable. The linkers of the two ISAs would choose different orders, so the variable is made here, with the largest
size and alignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from transproc.toolchain import dual, symbols
from transproc.toolchain.compile import assemble

_TEMPLATE = """\t.section ".tp.bss.{name}","aw",%nobits
\t.balign {alignment}
\t.globl "{name}"
\t.type "{name}",%object
\t.size "{name}",{size}
"{name}":\t.zero {size}
"""


def undefined(objects: Iterable[tuple[bytes, str]]) -> dict[str, tuple[int, int]]:
    """Size and alignment of each common symbol of some ELF objects, given with their names, that none of them defines."""
    found: dict[str, tuple[int, int]] = {}
    defined = set()
    for data, what in objects:
        for symbol in symbols.read(data, what):
            if symbol.section == symbols.COMMON:
                size, alignment = found.get(symbol.name, (0, 1))
                found[symbol.name] = max(size, symbol.size), max(alignment, symbol.value)
            elif symbol.section and symbol.binding == symbols.GLOBAL:
                defined.add(symbol.name)
    return {name: found[name] for name in sorted(found.keys() - defined)}


def define(wanted: Mapping[str, tuple[int, int]], work: Path) -> Path:
    """A dual object in `work` that defines these variables."""
    text = "".join(
        _TEMPLATE.format(name=name, size=size, alignment=alignment)
        for name, (size, alignment) in wanted.items()
    )
    sources = {isa: work / f"common.{isa}.s" for isa in dual.MACHINES}
    for source in sources.values():
        source.write_text(text)
    assemble(sources, work / "common.o")
    return work / "common.o"

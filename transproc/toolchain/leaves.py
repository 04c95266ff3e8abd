# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions that cannot reach a site, as the build knows them: what `transproc check` takes for granted of other objects.

Those of the C and the C++ library are in the lists that the build wrote when it had compiled them as leaves. Those of
compiler-rt, which no pass has seen, are found in its archive: they call nothing but each other, and what back ends may call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from transproc.binary.relocatable import Relocatable
from transproc.toolchain import archive, cxx, dual, symbols
from transproc.toolchain.calls import decoder_of
from transproc.toolchain.link import FOR_BACK_ENDS
from transproc.toolchain.sysroot import Toolchain


@dataclass(frozen=True)
class Leaves:
    """Names of functions that cannot reach a site."""

    names: frozenset[str]
    native: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What is there for one ISA only."""
    root: Path | None = None
    """Where the build has put its own libraries."""

    def of(self, isa: str) -> frozenset[str]:
        """Those of an ISA's half of a program."""
        return self.names | self.native.get(isa, frozenset())

    def built(self, path: Path) -> bool:
        """Whether a file is of the build's own, which alone compiles files as leaves."""
        return self.root is not None and path.resolve().is_relative_to(self.root.resolve())


def known(tools: Toolchain, *, of_cxx: bool) -> Leaves:
    """Those of the C library, of the C++ library and of compiler-rt. The C++ library is compiled (some seconds) for what is
    `of_cxx`, if it was not yet, as for who compiles: without its list every call of its leaves were wrong.
    """
    found = cxx.library(tools).leaf_list if of_cxx else cxx.leaf_list(tools)
    names = frozenset(found.read_text().split())
    return Leaves(names, {isa: _of_archives(tools, isa, names) for isa in dual.MACHINES}, tools.root)


def _of_archives(tools: Toolchain, isa: str, leaves: frozenset[str]) -> frozenset[str]:
    """Functions of an ISA's archives whose members call none but leaves."""
    archives = [path for path in tools.runtime(isa) if archive.is_archive(path)]
    members = [_member(name, data, isa) for path in archives for name, data in archive.contents(path)]
    offered = {name for functions, _ in members for name in functions}
    wrong = {name for _, called in members for name in called} - offered - leaves - FOR_BACK_ENDS
    while True:  # whoever calls what is wrong is wrong
        more = {name for functions, called in members if called & wrong for name in functions} - wrong
        if not more:
            return frozenset(offered - wrong)
        wrong |= more


def _member(name: str, data: bytes, isa: str) -> tuple[set[str], set[str]]:
    """Functions that an object of one ISA defines for others, and those that it calls or jumps to."""
    functions = {row.name for row in symbols.read(data, name) if row.section and row.type == symbols.FUNCTION}
    if not functions:
        return functions, set()
    elf, decoder = Relocatable(data, name), decoder_of(isa)
    found = {callee for _, callee in (*decoder.calls(elf), *decoder.jumps(elf))}
    return functions, {elf.name_of(callee) for callee in found if not callee[0]}

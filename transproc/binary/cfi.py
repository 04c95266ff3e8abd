# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Call-frame information: how to find the caller's frame and its registers at given addresses.

Read from `.debug_frame` (DWARF 5, section 6.4) at link time only; migrations use the rows kept in the site index.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from elftools.dwarf.callframe import FDE

from transproc.binary.elf import Elf
from transproc.errors import BinaryError


@dataclass(frozen=True)
class Row:
    """Frame rule at one address: CFA = register + offset; `saved`: DWARF register → offset of its save slot from the CFA."""

    register: int
    offset: int
    saved: tuple[tuple[int, int], ...]


class FrameTable:
    """All functions' frame rules of one ELF file, decoded on demand."""

    def __init__(self, elf: Elf, registers: Collection[int]) -> None:
        """`registers`: the DWARF numbers to list; others (x86_64's return address column) are implied by the ISA."""
        self._path = elf.path
        self._registers = registers
        entries = [entry for entry in _entries(elf) if isinstance(entry, FDE) and entry["address_range"]]
        entries.sort(key=lambda entry: entry["initial_location"])
        self._entries = entries
        self._starts = [entry["initial_location"] for entry in entries]
        self._decoded: dict[int, tuple[list[int], list[Row]]] = {}

    def row(self, address: int) -> Row | None:
        """The rule in force at an address; None where no function is described."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._starts[index] + self._entries[index]["address_range"]:
            return None
        if index not in self._decoded:
            self._decoded[index] = self._decode(self._entries[index])
        addresses, rows = self._decoded[index]
        return rows[bisect_right(addresses, address) - 1]

    def _decode(self, entry: Any) -> tuple[list[int], list[Row]]:
        addresses: list[int] = []
        rows: list[Row] = []
        for line in entry.get_decoded().table:
            addresses.append(line["pc"])
            rows.append(self._row(line))
        return addresses, rows

    def _row(self, line: dict[Any, Any]) -> Row:
        cfa = line["cfa"]
        if cfa.reg is None:
            raise BinaryError(f"frame at {line['pc']:#x} is given by an expression", path=self._path)
        saved = []
        for register, rule in line.items():
            if register not in self._registers or rule.type in ("SAME_VALUE", "UNDEFINED"):
                continue
            if rule.type != "OFFSET":
                raise BinaryError(
                    f"register {register} at {line['pc']:#x} has rule {rule.type}", path=self._path
                )
            saved.append((register, rule.arg))
        return Row(cfa.reg, cfa.offset, tuple(sorted(saved)))


def _entries(elf: Elf) -> Iterator[Any]:
    """The entries of `.debug_frame`, without reading `.eh_frame` or any other DWARF."""
    dwarf: Any = elf.dwarf
    entries: Iterable[Any] = dwarf.CFI_entries() if dwarf.has_CFI() else ()
    yield from entries

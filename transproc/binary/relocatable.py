# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Relocatable objects, as the checks of one see them: sections, symbols and relocations as numpy tables.

ELF64, little-endian (System V gABI, chapter 4, "Relocation"). Relocation types: x86-64 psABI, table 4.9; ELF for the Arm
64-bit Architecture, section 5.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from transproc.binary.elf import SYMBOL
from transproc.errors import BinaryError

SECTION = np.dtype(
    [
        ("name", "<u4"),
        ("type", "<u4"),
        ("flags", "<u8"),
        ("addr", "<u8"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("link", "<u4"),
        ("info", "<u4"),
        ("align", "<u8"),
        ("entry", "<u8"),
    ]
)
RELOCATION = np.dtype([("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])
"""Elf64_Rela; r_info split into its halves."""
_SYMTAB, _RELA = 2, 4
_EXECUTABLE = 4
_STT_SECTION = 3
_STB_WEAK = 2

_OWN = ".own"
"""Ends the second name of a function whose first one may be bound to another object's (llvm/lib/Tables.cpp)."""

Place = tuple[int, int]
"""A section's index, and an offset in it. Undefined symbols, and weak ones that are called: (0, index of the symbol)."""


class Relocatable:
    """One half of a dual object. Raises `BinaryError` where tables lie outside the file."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.what = data, what
        try:
            start, count, names = (
                int.from_bytes(data[at : at + size], "little") for at, size in ((40, 8), (60, 2), (62, 2))
            )
            self.sections = np.frombuffer(data, SECTION, count, start)
            strings = self.contents(names)
            self.names = [_text(strings, int(at)) for at in self.sections["name"]]
            (table,) = np.flatnonzero(self.sections["type"] == _SYMTAB).tolist()
            self.symbols = np.frombuffer(self.contents(table), SYMBOL)
            self._strings = self.contents(int(self.sections["link"][table]))
        except (ValueError, IndexError, OverflowError) as error:
            raise BinaryError(f"is damaged: {error}", path=what) from error

    def contents(self, index: int) -> bytes:
        """A section's bytes."""
        header = self.sections[index]
        start, size = int(header["offset"]), int(header["size"])
        if start + size > len(self.data):
            raise BinaryError(f"section {index} ends beyond the file", path=self.what)
        return self.data[start : start + size]

    def find(self, name: str) -> int | None:
        """The index of the first section of a name."""
        return self.names.index(name) if name in self.names else None

    def find_all(self, name: str) -> list[int]:
        """The indexes of all sections of a name: what belongs to an inline function has one of its own."""
        return [index for index, found in enumerate(self.names) if found == name]

    def relocations(self, section: int) -> npt.NDArray[np.void]:
        """Those of one section, by offset: each is in the section, and of a symbol that is there."""
        found = np.flatnonzero((self.sections["type"] == _RELA) & (self.sections["info"] == section))
        if not len(found):
            return np.empty(0, RELOCATION)
        table = self.contents(int(found[0]))
        if len(table) % RELOCATION.itemsize:
            raise BinaryError(f"is damaged: relocations of section {section} are cut", path=self.what)
        rows = np.frombuffer(table, RELOCATION)
        if np.any(rows["offset"] >= self.sections["size"][section]):
            raise BinaryError(f"is damaged: a relocation is beyond section {section}", path=self.what)
        if np.any(rows["symbol"] >= len(self.symbols)):
            raise BinaryError(
                f"is damaged: a relocation of section {section} is of no symbol", path=self.what
            )
        return rows[np.argsort(rows["offset"], kind="stable")]

    def text_sections(self) -> list[int]:
        """Sections of instructions."""
        return [int(i) for i in np.flatnonzero(self.sections["flags"] & _EXECUTABLE)]

    def symbol_name(self, index: int) -> str:
        """A symbol's name; a section's symbol has none."""
        try:
            return _text(self._strings, int(self.symbols["name"][index]))
        except ValueError as error:
            raise BinaryError(f"is damaged: symbol {index}: {error}", path=self.what) from error

    def target(self, relocation: np.void, bias: int = 0) -> Place:
        """The place that a relocation refers to. `bias`: what the instruction adds to its addend."""
        symbol = int(relocation["symbol"])
        section, value = int(self.symbols["section"][symbol]), int(self.symbols["value"][symbol])
        return (section, value + int(relocation["addend"]) + bias) if section else (0, symbol)

    def callee(self, relocation: np.void, bias: int = 0) -> Place:
        """What a call or jump of a relocation leads to: as `target`, but a weak name is as one that is not defined here, since it
        may be bound to another object's function.
        """
        symbol = int(relocation["symbol"])
        weak = int(self.symbols["info"][symbol]) >> 4 == _STB_WEAK
        return (0, symbol) if weak else self.target(relocation, bias)

    def definition(self, place: Place) -> Place:
        """Where this object has what a call leads to, which may be a weak symbol's; the place itself if it is not here."""
        if place[0]:
            return place
        section, value = int(self.symbols["section"][place[1]]), int(self.symbols["value"][place[1]])
        return (section, value) if section else place

    def name_of(self, place: Place) -> str:
        """A function's name by its place."""
        section, at = place
        if section == 0:
            return self.symbol_name(at)
        if place in self.functions:
            return self.functions[place][0]
        # A number beyond the sections' is of an address without one (SHN_ABS).
        return f"{self.names[section] if section < len(self.names) else 'absolute'}+{at:#x}"

    def names_of_functions(self) -> Iterator[tuple[str, Place]]:
        """Every symbol in a section of instructions, several of one place too."""
        return ((name, place) for name, place, _ in self._function_symbols())

    @cached_property
    def functions(self) -> dict[Place, tuple[str, int]]:
        """Name and size of what is in a section of instructions, by its place."""
        out: dict[Place, tuple[str, int]] = {}
        for name, place, size in self._function_symbols():
            out.setdefault(place, (name, size))
        return out

    def _function_symbols(self) -> Iterator[tuple[str, Place, int]]:
        text = set(self.text_sections())
        for index in np.flatnonzero(self.symbols["info"] & 15 != _STT_SECTION).tolist():
            row = self.symbols[index]
            if int(row["section"]) in text and int(row["size"]):
                name = self.symbol_name(index)
                if not name.endswith(_OWN):
                    yield name, (int(row["section"]), int(row["value"])), int(row["size"])


def _text(strings: bytes, at: int) -> str:
    end = strings.find(b"\0", at)
    if end < 0:
        raise ValueError(f"the name at {at:#x} has no end")
    return strings[at:end].decode(errors="replace")

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which exceptions are caught where, of relocatable objects: tables of handlers (LSDA) as LLVM writes them for our code.

Itanium C++ ABI, Exception Handling, and LSB Core 5.0, 10.5, for the encodings; `.gcc_except_table` holds for each function

    table  = u8 0xff, types, u8 0x01, uleb length of the calls, call*, action*, type*, filter*
    types  = u8 0x03, uleb distance from here to the end of the types | u8 0xff (none)
    call   = uleb start, uleb length, uleb landing pad, uleb action + 1       from the function's beginning
    action = sleb number, sleb distance to the next from here
    type   = u32 address, counted backwards from the end; 0: all             number > 0
    filter = uleb type*, 0                                                     number < 0: where, from the end of the types

(llvm/tools/MachinePasses.cpp has the encodings). `.eh_frame` says which table is whose.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from transproc.binary.relocatable import Place, Relocatable
from transproc.errors import BinaryError

TABLE = ".gcc_except_table"
_FRAMES = ".eh_frame"
_OMITTED, _ULEB, _UDATA4 = 0xFF, 1, 3
_LOCAL = 0
_LONGEST = 10_000
"""Handlers of a call: a chain that is longer is a circle."""

Clauses = tuple[str, ...]
"""What happens to an exception that leaves a call: its handlers from inside out, `catch TYPE`, `catch ...`, `only TYPE, TYPE` (a
specification), `cleanup`.
"""
PASSES: Clauses = ()
TERMINATES: Clauses = ("terminate",)
"""There is no entry for the call: it cannot throw, and if it does, the program ends."""


@dataclass(frozen=True)
class Table:
    """One function's calls in the order of their addresses, from the function's beginning."""

    starts: list[int]
    ends: list[int]
    clauses: list[Clauses]

    def at(self, offset: int) -> Clauses:
        """What catches an exception of the call that holds an offset."""
        row = bisect_right(self.starts, offset) - 1
        return self.clauses[row] if row >= 0 and offset < self.ends[row] else TERMINATES


class Handlers:
    """The tables of one half of an object, decoded on demand. Raises `BinaryError` where one is damaged."""

    def __init__(self, elf: Relocatable) -> None:
        self._elf = elf
        self._places = dict(_places(elf))
        self._names: dict[int, dict[int, str]] = {}
        self._decoded: dict[Place, Table] = {}

    def at(self, function: Place, offset: int) -> Clauses:
        """What catches an exception of the call that holds an offset in a function."""
        if function not in self._places:
            return PASSES
        if function not in self._decoded:
            self._decoded[function] = self._read(self._places[function])
        return self._decoded[function].at(offset)

    def _read(self, place: Place) -> Table:
        section, start = place
        try:
            return _Reader(self._elf.contents(section), start, self._types(section)).table()
        except (IndexError, ValueError) as error:
            raise BinaryError(
                f"table of handlers is damaged: {error}", path=self._elf.what, offset=start
            ) from error

    def _types(self, section: int) -> dict[int, str]:
        """The names of types by the places that refer to them: of one of this object alone, where it is."""
        if section not in self._names:
            elf = self._elf
            found: dict[int, str] = {}
            for relocation in elf.relocations(section):
                symbol = int(relocation["symbol"])
                local = int(elf.symbols["info"][symbol]) >> 4 == _LOCAL
                where, at = elf.target(relocation)
                name = f"{elf.names[where]}+{at:#x}" if local else elf.symbol_name(symbol)
                found[int(relocation["offset"])] = name
            self._names[section] = found
        return self._names[section]


def _places(elf: Relocatable) -> list[tuple[Place, Place]]:
    """(function, its table): an entry of .eh_frame refers to the function, and then to the table."""
    tables = {index for index, name in enumerate(elf.names) if name.startswith(TABLE)}
    found: list[tuple[Place, Place]] = []
    for frames in elf.find_all(_FRAMES) if tables else ():
        before = (0, 0)
        for relocation in elf.relocations(frames):
            target = elf.target(relocation)
            if target[0] in tables:
                found.append((before, target))
            before = target
    return found


class _Reader:
    """Decodes one table."""

    def __init__(self, data: bytes, start: int, types: dict[int, str]) -> None:
        self._data, self._at, self._types = data, start, types

    def table(self) -> Table:
        self._expect(_OMITTED, "landing pads'")
        self._end = self._end_of_types()
        self._expect(_ULEB, "calls'")
        length = self._uleb()
        self._actions = self._at + length
        known: dict[int, Clauses] = {}
        table = Table([], [], [])
        while self._at < self._actions:
            start, size, pad, action = (self._uleb() for _ in range(4))
            if pad and action not in known:
                known[action] = self._clauses(action)
            table.starts.append(start)
            table.ends.append(start + size)
            table.clauses.append(known[action] if pad else PASSES)
        return table

    def _clauses(self, action: int) -> Clauses:
        if not action:
            return ("cleanup",)
        found: list[str] = []
        kept, self._at = self._at, self._actions + action - 1
        while len(found) < _LONGEST:
            found.append(self._clause(self._sleb()))
            here = self._at
            distance = self._sleb()
            if not distance:
                self._at = kept
                return tuple(found)
            self._at = here + distance
        raise ValueError("its handlers are a circle")

    def _clause(self, number: int) -> str:
        if number > 0:
            return f"catch {self._type(number)}"
        return f"only {', '.join(self._filter(number))}" if number < 0 else "cleanup"

    def _type(self, number: int) -> str:
        at = self._end - 4 * number
        if at in self._types:
            return self._types[at]
        if not self._actions <= at or self._data[at : at + 4] != bytes(4):
            raise ValueError(f"type {number} is none")
        return "..."

    def _filter(self, number: int) -> list[str]:
        kept, self._at = self._at, self._end - number - 1
        found = []
        while one := self._uleb():
            found.append(self._type(one))
        self._at = kept
        return found

    def _end_of_types(self) -> int:
        if self._byte() == _OMITTED:
            return len(self._data)
        self._at -= 1
        self._expect(_UDATA4, "types'")
        distance = self._uleb()
        return self._at + distance

    def _expect(self, encoding: int, whose: str) -> None:
        if (found := self._byte()) != encoding:
            raise ValueError(f"the {whose} encoding is {found:#x}, expected {encoding:#x}")

    def _byte(self) -> int:
        if self._at < 0:
            raise ValueError("it refers to what is before it")
        self._at += 1
        return self._data[self._at - 1]

    def _uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("a number is too long")

    def _sleb(self) -> int:
        start = self._at
        value = self._uleb()
        bits = 7 * (self._at - start)
        return value - (1 << bits) if value >> (bits - 1) else value

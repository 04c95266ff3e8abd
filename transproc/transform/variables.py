# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The variables of a frame, or of the record that stands for it, that lie in memory: stack objects, arrays of variable length.

DWARF says where a variable is in a machine frame. That is brought together with what the site index says of the same place:
which stack object lies there, or which live value a register holds. So it is found as well where there is only a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from transproc.binary import stackmap
from transproc.binary.pair import Binary
from transproc.binary.sites import Function, Site
from transproc.binary.types import Array, Type
from transproc.binary.variables import Place, Variable, Variables
from transproc.errors import TransformError
from transproc.transform.window import Window, Words

MOST = 1 << 32
"""Elements of an array: a length that is not set yet is any number."""

LARGE = 1 << 16
"""Bytes of a structure of which nothing is shown."""


@dataclass(frozen=True)
class InMemory:
    """A variable that was found; `value` is text."""

    name: str
    type: str
    value: str
    address: int
    size: int


class _State(NamedTuple):
    """What is known at a site; `slots`: its narrow values, `objects`: addresses of the function's stack objects."""

    function: Function
    site: Site
    slots: Words
    objects: Sequence[int]


class Finder:
    """Finds the variables of one process."""

    def __init__(self, binary: Binary, window: Window) -> None:
        self._index = binary.index
        self._window = window
        self._elf = binary.elf
        self._variables = Variables(binary.elf)

    def at(self, site: Site, slots: bytes, objects: Sequence[int]) -> list[InMemory]:
        """Those at a site of the function itself, not of its resume entry, in the order of the source; none without `-g`.

        Raises `BinaryError` if the DWARF is damaged.
        """
        if site.in_resume:
            return []
        function = self._index.function(site.function)
        start = int(self._index.functions[site.function]["address"])
        variables = self._variables.at(start, site.pc if site.is_point else site.pc - 1)
        narrow = np.frombuffer(slots[: 8 * site.narrow], np.uint64)
        with self._elf.reading():  # members of structures are asked for when they are shown
            return list(self._found(variables, _State(function, site, narrow, objects)))

    def _found(self, variables: list[Variable], state: _State) -> Iterator[InMemory]:
        lengths = {one.entry: self._number(one, state) for one in variables if one.added}
        for one in variables:
            kind = one.type
            if isinstance(kind, Array) and kind.count is None and kind.length is not None:
                count = lengths.get(kind.length)
                kind = kind if count is None or count > MOST else kind.of(count)
            address = None if one.added or not one.name else self._address(one.place, kind.size, state)
            if address is not None:
                yield InMemory(one.name, kind.name, self._text(kind, address), address, kind.size)

    def _text(self, kind: Type, address: int) -> str:
        if not kind.size or kind.wanted > LARGE:
            return f"at {address:#x}"
        try:
            return kind.text(self._window.bytes(address, kind.wanted))
        except TransformError:
            return "not in the image"

    def _number(self, variable: Variable, state: _State) -> int | None:
        """The value of a length, which can be in a register as well."""
        place = variable.place
        held = self._held(stackmap.INDIRECT if place.loads else stackmap.REGISTER, place, state)
        if held is not None or not place.loads:
            return held
        address = self._address(place, variable.type.size, state)
        return None if address is None else self._window.u64(address)

    def _address(self, place: Place, size: int, state: _State) -> int | None:
        """Where a variable of a size lies; None if it is in no memory that belongs to the program."""
        if not place.loads:
            return None
        if place.loads == 2 and (pointer := self._held(stackmap.INDIRECT, place, state)) is not None:
            return pointer
        address = self._object(place, size if place.loads == 1 else 8, state)
        if address is None and (pointer := self._held(stackmap.REGISTER, place, state)) is not None:
            address = pointer + place.offset
        return address if address is None or place.loads == 1 else self._window.u64(address)

    def _held(self, kind: int, place: Place, state: _State) -> int | None:
        """The live value of eight bytes that a register holds, or that lies at a place."""
        offset = place.offset if kind == stackmap.INDIRECT else 0
        values = self._index.values(state.site)[: state.site.narrow]
        found = [at for at, value in enumerate(values) if value == (kind, 8, place.register, offset)]
        return int(state.slots[found[0]]) if found else None

    @staticmethod
    def _object(place: Place, size: int, state: _State) -> int | None:
        """The address of what lies at a place in a stack object; None also if several are there, at different addresses now."""
        found: dict[int, int] = {}
        for base, (register, offset, length, _) in zip(state.objects, state.function.objects, strict=True):
            if (
                register == place.register
                and offset <= place.offset
                and place.offset + size <= offset + length
            ):
                found.setdefault(base + place.offset - offset, length)
        addresses = [address for address, length in found.items() if length == size or len(found) == 1]
        return addresses[0] if len(addresses) == 1 else None

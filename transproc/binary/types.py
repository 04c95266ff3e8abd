# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Types of a program's variables, and values of them as short text.

Used by `transproc show` only, as `lines` is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FIRST = 8
"""Elements of an array, or members of a structure, that are shown."""
LETTERS = 64
"""Of a text."""
DEEP = 3
"""Structures and arrays in each other, below which only `{…}` is shown."""

_FLOATS = {2: "<e", 4: "<f", 8: "<d"}
BOOLEAN, COMPLEX, FLOAT, SIGNED, SIGNED_CHAR, UNSIGNED, UNSIGNED_CHAR, UTF = 2, 3, 4, 5, 6, 7, 8, 16
"""DW_ATE_…, DWARF 5 table 7.11."""


@dataclass(frozen=True)
class Type:
    """A type of which nothing but its name and its size in bytes is known, and the base of all others; 0: of no known size."""

    name: str
    size: int

    def text(self, data: bytes, depth: int = 0) -> str:
        """A value, from as many of its first bytes as `wanted` says."""
        return f"{int.from_bytes(data[: self.size], 'little'):#x}" if self.size <= 16 else "{…}"

    @property
    def wanted(self) -> int:
        """How many bytes of a value are needed to show it."""
        return self.size


@dataclass(frozen=True)
class Number(Type):
    """A base type; `encoding`: DW_ATE_…."""

    encoding: int

    def text(self, data: bytes, depth: int = 0) -> str:
        """As its language would print it; characters with their letter."""
        data = data[: self.size]
        if self.encoding in (FLOAT, COMPLEX):
            parts = 2 if self.encoding == COMPLEX else 1
            form = _FLOATS.get(self.size // parts)
            if form is None:
                return super().text(data)
            numbers = [repr(number) for (number,) in struct.iter_unpack(form, data)]
            return numbers[0] if parts == 1 else f"{numbers[0]} + {numbers[1]}i"
        value = int.from_bytes(data, "little", signed=self.encoding in (SIGNED, SIGNED_CHAR))
        if self.encoding == BOOLEAN and value in (0, 1):
            return "true" if value else "false"
        return f"{value} {chr(value)!r}" if self.is_letter and 32 <= value < 127 else str(value)

    @property
    def is_letter(self) -> bool:
        """A character of one byte."""
        return self.size == 1 and self.encoding in (SIGNED_CHAR, UNSIGNED_CHAR, UTF)


@dataclass(frozen=True)
class Enumeration(Type):
    """`names` of its values."""

    names: Mapping[int, str]

    def text(self, data: bytes, depth: int = 0) -> str:
        """The name and the number."""
        values = [int.from_bytes(data[: self.size], "little", signed=signed) for signed in (False, True)]
        for value in values:
            if value in self.names:
                return f"{self.names[value]} ({value})"
        return str(values[1])


@dataclass(frozen=True)
class Array(Type):
    """`count` elements; None: only the running program knows, in the variable whose DIE has the offset `length`."""

    element: Type
    count: int | None
    length: int | None = None

    def of(self, count: int) -> Array:
        """The same with its length."""
        return Array(self.name.replace("[]", f"[{count}]", 1), count * self.element.size, self.element, count)

    def text(self, data: bytes, depth: int = 0) -> str:
        """The first elements, or the letters up to the first zero."""
        count = self.count or 0
        if isinstance(self.element, Number) and self.element.is_letter:
            shown, end, _ = data[: min(count, LETTERS)].partition(b"\0")
            text = "".join(
                chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in shown
            )
            return f'"{text}"' + ("" if end or count <= LETTERS else "…")
        if depth >= DEEP:
            return "{…}"
        size = self.element.size
        shown_parts = [
            self.element.text(data[at * size : (at + 1) * size], depth + 1) for at in range(min(count, FIRST))
        ]
        return "{" + ", ".join(shown_parts + ["…"] * (count > FIRST)) + "}"

    @property
    def wanted(self) -> int:
        """The first elements are enough."""
        if isinstance(self.element, Number) and self.element.is_letter:
            return min(self.size, LETTERS)
        return min(self.size, FIRST * self.element.size)


@dataclass(frozen=True)
class Member:
    """A part of a structure at a bit of it; `bits`: of a bit field, else 0."""

    name: str
    type: Type
    at: int
    bits: int

    def text(self, data: bytes, depth: int) -> str:
        """Its value, of the whole structure's bytes."""
        if not self.bits:
            return self.type.text(data[self.at // 8 :][: self.type.size], depth)
        value = int.from_bytes(data, "little") >> self.at & (1 << self.bits) - 1
        if (
            isinstance(self.type, Number)
            and self.type.encoding in (SIGNED, SIGNED_CHAR)
            and value >> self.bits - 1
        ):
            value -= 1 << self.bits
        return str(value)


@dataclass(frozen=True)
class Record(Type):
    """A structure, class or union."""

    members: Callable[[], list[Member]]
    """Asked for when they are needed: they may contain pointers to the same type."""

    def text(self, data: bytes, depth: int = 0) -> str:
        """The first members with their names."""
        if depth >= DEEP:
            return "{…}"
        members = [one for one in self.members() if one.type.wanted]
        shown = [
            f"{one.name} = {one.text(data, depth + 1)}" if one.name else one.text(data, depth + 1)
            for one in members[:FIRST]
        ]
        return "{" + ", ".join(shown + ["…"] * (len(members) > FIRST)) + "}"


UNKNOWN = Type("", 0)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Symbol tables, as the compiler driver needs them: with plain `struct`, as importing numpy takes longer than a small link.

ELF64, little-endian (System V gABI, chapter 4, "Symbol Table").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from transproc.errors import BinaryError

OBJECT, FUNCTION, THREAD_LOCAL = 1, 2, 6
"""Types."""
GLOBAL = 1
"""A binding; weak symbols have another one."""
COMMON = 0xFFF2
"""In place of a section: a variable without initial value that the linker makes; `value` is its alignment."""
_HEADER = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMTAB = 2


class Section(NamedTuple):
    """A section's header, as far as it is used here."""

    name: bytes
    type: int
    offset: int
    size: int
    link: int
    info: int


class Symbol(NamedTuple):
    """One symbol; `section` is 0 where it is only wanted."""

    name: str
    type: int
    binding: int
    section: int
    value: int
    size: int


def read(data: bytes, what: str, *, local: bool = False) -> list[Symbol]:
    """The symbols of an ELF file, those that are local too if `local`. Raises `BinaryError` if it is damaged."""
    try:
        return list(_symbols(data, local))
    except (ValueError, IndexError, struct.error) as error:
        # Offsets outside, text that is none, tables of odd sizes.
        raise BinaryError("symbol table is damaged", path=what) from error


def sections(data: bytes) -> tuple[list[Section], int]:
    """The section headers of an ELF file, and where their table ends."""
    (start,), (count, names) = struct.unpack_from("<Q", data, 40), struct.unpack_from("<HH", data, 60)
    end = start + count * _HEADER.size
    rows = list(_HEADER.iter_unpack(data[start:end]))
    strings = data[rows[names][4] :][: rows[names][5]] if rows else b""
    found = [
        Section(_text(strings, name), kind, offset, size, link, info)
        for name, kind, _, _, offset, size, link, info, _, _ in rows
    ]
    return found, end


def _text(strings: bytes, at: int) -> bytes:
    return strings[at : strings.index(b"\0", at)]


def _symbols(data: bytes, local: bool) -> Iterator[Symbol]:
    headers, _ = sections(data)
    for table in headers:
        if table.type != _SYMTAB:
            continue
        strings = data[headers[table.link].offset :][: headers[table.link].size]
        # sh_info: the first that is not local
        begin = table.offset if local else table.offset + table.info * _SYMBOL.size
        rows = data[begin : table.offset + table.size]
        for name, info, _, section, value, length in _SYMBOL.iter_unpack(rows):
            text = _text(strings, name).decode()
            yield Symbol(text, info & 15, info >> 4, section, value, length)

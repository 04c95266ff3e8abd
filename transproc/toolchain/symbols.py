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
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMTAB = 2


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


def _symbols(data: bytes, local: bool) -> Iterator[Symbol]:
    (start,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    headers = list(_SECTION.iter_unpack(data[start : start + count * _SECTION.size]))
    for _, kind, _, _, offset, size, link, first, _, _ in headers:
        if kind != _SYMTAB:
            continue
        strings = data[headers[link][4] :][: headers[link][5]]
        begin = offset if local else offset + first * _SYMBOL.size  # sh_info: the first that is not local
        for name, info, _, section, value, length in _SYMBOL.iter_unpack(data[begin : offset + size]):
            text = strings[name : strings.index(b"\0", name)].decode()
            yield Symbol(text, info & 15, info >> 4, section, value, length)

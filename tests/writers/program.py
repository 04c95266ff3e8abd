# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A binary that says nothing but which ISA it is for and what it needs of the processor (System V gABI, chapter 4)."""

from __future__ import annotations

import struct

from transproc.binary.processor import SECTION
from transproc.isa import by_name

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")


def program(isa: str, needs: str = "") -> bytes:
    """`needs`: names of abilities, as in /proc/cpuinfo."""
    text = needs.encode()
    names = b"\0" + SECTION.encode() + b"\0.shstrtab\0"
    start = _HEADER.size
    rows = [
        _SECTION.pack(*[0] * 10),
        _SECTION.pack(1, 1, 0, 0, start, len(text), 0, 0, 1, 0),
        _SECTION.pack(names.index(b".shstrtab"), 3, 0, 0, start + len(text), len(names), 0, 0, 1, 0),
    ]
    table = start + len(text) + len(names)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = _HEADER.pack(identity, 2, by_name(isa).machine, 1, 0, 0, table, 0, 64, 0, 0, 64, len(rows), 2)
    return b"".join([header, text, names, *rows])

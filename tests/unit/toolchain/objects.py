# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes small relocatable ELF objects, for tests that need no compiler."""

from __future__ import annotations

import struct
from dataclasses import dataclass

X86_64, AARCH64 = 62, 183
TEXT, DATA = 6, 3
"""Section flags: SHF_ALLOC | SHF_EXECINSTR, SHF_ALLOC | SHF_WRITE."""

FUNCTION, OBJECT, TLS = 2, 1, 6


@dataclass
class Section:
    """One section of an object."""

    name: str
    contents: bytes = b""
    flags: int = TEXT
    align: int = 4
    kind: int = 1


@dataclass
class Symbol:
    """One symbol; `section` 0 is undefined."""

    name: str
    section: int = 1
    value: int = 0
    kind: int = FUNCTION
    binding: int = 1


def write(machine: int, sections: list[Section], symbols: list[Symbol] | None = None, kind: int = 1) -> bytes:
    """The bytes of an ELF64 file with these sections, numbered from 1, a symbol table and string tables."""
    strings = bytearray(b"\0")
    table = bytearray(24)
    for symbol in symbols or []:
        table += struct.pack(
            "<IBBHQQ", len(strings), symbol.binding << 4 | symbol.kind, 0, symbol.section, symbol.value, 0
        )
        strings += symbol.name.encode() + b"\0"
    number = len(sections) + 1
    rows = [*sections, Section(".symtab", bytes(table), 0, 8, 2), Section(".strtab", b"", 0, 1, 3)]
    names = []
    for section in rows:
        names.append(len(strings))
        strings += section.name.encode() + b"\0"
    rows[-1].contents = bytes(strings)
    body, headers = bytearray(64), bytearray(64)
    for name, section in zip(names, rows, strict=True):
        body += bytes(-len(body) % max(section.align, 1))
        link, info, entry = (number + 1, 1, 24) if section.kind == 2 else (0, 0, 0)
        place = (
            name,
            section.kind,
            section.flags,
            0,
            len(body),
            len(section.contents),
            link,
            info,
            section.align,
            entry,
        )
        headers += struct.pack("<IIQQQQIIQQ", *place)
        body += section.contents
    body += bytes(-len(body) % 8)
    count = len(rows) + 1
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", ident, kind, machine, 1, 0, 0, len(body), 0, 64, 0, 0, 64, count, count - 1
    )
    return header + bytes(body[64:]) + bytes(headers)

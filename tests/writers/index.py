# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes site indexes for tests (docs/format.md, section 6), without an ELF file around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from transproc.binary import sites
from transproc.binary.elf import Elf
from transproc.binary.sites import Index

Location = tuple[int, int, int, int]
"""kind, size, register, offset"""
Rule = tuple[int, int, Sequence[tuple[int, int]]]
"""CFA register, CFA offset, saved (register, offset)"""


@dataclass
class Site:
    """One site of a function."""

    pc: int
    id: int
    rule: Rule
    narrow: Sequence[Location] = ()
    wide: Sequence[Location] = ()
    result: int = 0
    flags: int = 0


@dataclass
class Function:
    """A function, its resume entry and its sites; objects are (register, offset, size, alignment)."""

    name: str
    address: int
    resume: int
    sites: Sequence[Site] = ()
    objects: Sequence[tuple[int, int, int, int]] = ()
    flags: int = 0
    hash: int = 0xABCDE


@dataclass
class IndexWriter:
    """Collects functions and specials; `section` gives the bytes."""

    machine: int
    functions: Sequence[Function]
    specials: Sequence[tuple[int, int, Rule | None]] = ()
    constants: Sequence[int] = ()
    addresses: tuple[int, int, int, int, int] = (0xA000, 0xA100, 0xA200, 0xA300, 0xA400)
    rules: list[Rule] = field(default_factory=list)

    def section(self) -> bytes:
        """The whole section."""
        tables = self._tables()
        body = bytearray(sites.HEADER_SIZE)
        places = []
        for table, dtype in zip(tables, sites.TABLES, strict=True):
            body += bytes(-len(body) % 16)
            places += [len(body), len(table)]
            body += np.array(table, dtype).tobytes()
        places += [0] * (24 - len(places))
        ids = (bytes(20), bytes(20))
        head = (sites.MAGIC, self.machine, 0, *ids, 0x1000, 0x9000, *places, *self.addresses)
        body[: sites.HEADER_SIZE] = sites.HEADER.pack(*head)
        return bytes(body)

    def _rule(self, rule: Rule) -> int:
        if rule not in self.rules:
            self.rules.append(rule)
        return self.rules.index(rule)

    def _tables(self) -> list[list[Any]]:
        functions, site_rows, locations, objects = [], [], [], []
        strings = bytearray(b"\0")
        for number, function in enumerate(self.functions):
            name, first = len(strings), len(objects)
            strings += function.name.encode() + b"\0"
            objects += [
                (reg, 0, offset, size, alignment) for reg, offset, size, alignment in function.objects
            ]
            counts = (len(function.objects), function.flags, function.hash)
            functions.append((function.address, function.resume, 0x100, name, first, *counts))
            for site in function.sites:
                start = len(locations)
                locations += [*site.narrow, *site.wide]
                sizes = (
                    start,
                    len(site.narrow),
                    len(site.wide),
                    self._rule(site.rule),
                    site.result,
                    0,
                    site.flags,
                )
                site_rows.append((site.pc, number, site.id, *sizes))
        site_rows.sort(key=lambda row: (row[0], row[2] & 1))
        specials = sorted(
            (pc, kind, 0 if rule is None else self._rule(rule)) for pc, kind, rule in self.specials
        )
        rows, saved = [], []
        for register, offset, pairs in self.rules:
            rows.append((register, len(pairs), offset, len(saved), 0))
            saved += [(reg, 0, at) for reg, at in pairs]
        return [
            functions,
            site_rows,
            locations,
            list(self.constants),
            rows,
            saved,
            objects,
            specials,
            list(strings),
        ]

    def index(self) -> Index:
        """The index as the product reads it."""
        return Index(cast(Elf, _Section(self.section(), self.machine)))


class _Section:
    """The part of `Elf` that an index needs."""

    def __init__(self, data: bytes, machine: int) -> None:
        self.path = Path("test.elf")
        self.machine = machine
        self._data = data

    def section(self, name: str) -> memoryview | None:
        return memoryview(self._data) if name == sites.SECTION else None

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The site index: everything that pausing and transforming need to know of a binary, ready to be mapped.

Layout: docs/format.md, section 6. `Index` reads it from the `.transproc.sites` section; `transproc.binary.build` makes it at
link time. A migration opens the file, maps the section, and looks sites up by binary search: no DWARF, no parsing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from transproc.binary.elf import Elf
from transproc.errors import StackMapError, UnsupportedError
from transproc.isa import by_machine

MAGIC = b"TPSITES4"
SECTION = ".transproc.sites"
HEADER = struct.Struct("<8sII20s20sQQ" + "II" * 12 + "QQQQQ")
"""magic, machine, flags, build-id, mate's build-id, text start and end, twelve tables, five addresses."""
HEADER_SIZE = HEADER.size

FUNCTION = np.dtype(
    [
        ("address", "<u8"),
        ("resume", "<u8"),
        ("size", "<u4"),
        ("name", "<u4"),
        ("object", "<u4"),
        ("objects", "<u2"),
        ("flags", "<u2"),
        ("hash", "<u8"),
    ]
)
SITE = np.dtype(
    [
        ("pc", "<u8"),
        ("function", "<u4"),
        ("id", "<u4"),
        ("location", "<u4"),
        ("narrow", "<u2"),
        ("wide", "<u2"),
        ("row", "<u4"),
        ("result", "<u4"),
        ("size", "<u4"),
        ("flags", "<u4"),
    ]
)
LOCATION = np.dtype([("kind", "u1"), ("size", "u1"), ("reg", "<u2"), ("offset", "<i4")])
CONSTANT = np.dtype("<u8")
ROW = np.dtype(
    [("cfa_reg", "<u2"), ("saved_count", "<u2"), ("cfa_offset", "<i4"), ("saved", "<u4"), ("pad", "<u4")]
)
SAVED = np.dtype([("reg", "<u2"), ("pad", "<u2"), ("offset", "<i4")])
OBJECT = np.dtype([("reg", "<u2"), ("pad", "<u2"), ("offset", "<i4"), ("size", "<u4"), ("alignment", "<u4")])
SPECIAL = np.dtype([("pc", "<u8"), ("kind", "<u4"), ("row", "<u4")])
BYTE = np.dtype("u1")

TABLES = (FUNCTION, SITE, LOCATION, CONSTANT, ROW, SAVED, OBJECT, SPECIAL, BYTE)
"""Row types in the order of the header's table list; the remaining entries are reserved."""

FUNCTION_DYNAMIC = 1
"""Function flag: has dynamic allocas; the first narrow value of its sites is the lowest live dynamic address."""
FUNCTION_JUMPS = 2
"""Function flag: calls setjmp."""
SITE_POINT = 1
"""Low bit of a site's id."""
SITE_IN_RESUME, SITE_NO_STOP = 1, 2
"""Site flags: lies in the resume entry; a thread must not be stopped here."""
NO_RESULT = 0xFFFFFFFF

TRAP, TRAP_DONE, BOTTOM_MAIN, BOTTOM_THREAD, LOOP, RESUME_SYSCALL, POLL, LABELS, POINTS = range(1, 10)
"""Kinds of special addresses."""


REGISTER, CONSTANT_VALUE, CONSTANT_INDEX = 1, 4, 5
"""Kinds of locations that the check of an index tells apart; 2 and 3 are relative to a register."""


@dataclass(frozen=True)
class Site:
    """One site, resolved: where its values are, and the rule of its frame."""

    number: int
    pc: int
    function: int
    id: int
    result: int
    flags: int
    row: int
    narrow: int
    wide: int
    location: int
    size: int

    @property
    def is_point(self) -> bool:
        """A loop point; else a call, named by its return address."""
        return bool(self.id & SITE_POINT)

    @property
    def in_resume(self) -> bool:
        """The frame belongs to the resume entry: its objects are those of its record."""
        return bool(self.flags & SITE_IN_RESUME)


@dataclass(frozen=True)
class FrameRule:
    """CFA = register + offset; `saved` pairs of (DWARF register, offset from the CFA)."""

    register: int
    offset: int
    saved: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Function:
    """One function with sites, resolved; `objects`: (DWARF register, offset, size, alignment) of each stack object."""

    number: int
    resume: int
    hash: int
    has_dynamic: bool
    objects: tuple[tuple[int, int, int, int], ...]


class Index:
    """A mapped site index. Raises `UnsupportedError` if the file has none, `StackMapError` if it is damaged."""

    def __init__(self, elf: Elf) -> None:
        raw = elf.section(SECTION)
        if raw is None:
            raise UnsupportedError(
                f"{elf.path}: has no site index, so it was not linked by transproc-cc (or was stripped of it)",
                hint="compile the program with transproc-cc",
            )
        self.path = elf.path
        self._elf = elf
        self._read_header(raw)

    def _read_header(self, raw: memoryview) -> None:
        if len(raw) < HEADER_SIZE:
            raise StackMapError("site index is truncated", path=self.path)
        fields = HEADER.unpack_from(raw)
        magic, self.machine, _flags, self.build_id, self.mate, self.text_start, self.text_end = fields[:7]
        if magic != MAGIC:
            raise StackMapError(
                f"expected magic {MAGIC!r}, found {magic!r}",
                path=self.path,
                hint="compile the program again with this version",
            )
        if self.machine != self._elf.machine:
            raise StackMapError(
                f"index is for machine {self.machine}, file for {self._elf.machine}", path=self.path
            )
        tables = []
        for i, dtype in enumerate(TABLES):
            offset, count = fields[7 + 2 * i : 9 + 2 * i]
            if offset + count * dtype.itemsize > len(raw):
                raise StackMapError(f"table {i} ends beyond the index", path=self.path, offset=offset)
            tables.append(np.frombuffer(raw, dtype, count, offset))
        (self.functions, self.sites, self.locations, self.constants) = tables[:4]
        (self.rows, self.saved, self.objects, self.specials, self._strings) = tables[4:]
        self.loop, self.syscall_resume, self.end, self.tp_offset, self.args = fields[31:36]
        self._check()
        self._special = {int(s["pc"]): (int(s["kind"]), int(s["row"])) for s in self.specials}
        self._rules: dict[int, FrameRule] = {}
        self._sites: dict[int, Site] = {}
        self._calls: dict[int, Site | None] = {}
        self._functions: dict[int, Function] = {}
        self._values: dict[int, list[tuple[int, int, int, int]]] = {}

    def _check(self) -> None:
        """All that a table says about another one: a damaged index must not be found out in the middle of a stack."""
        registers = np.zeros(1 << 16, np.bool_)
        registers[[register.dwarf for register in by_machine(self.machine).registers]] = True
        kind, offset = self.locations["kind"], self.locations["offset"]
        special = self.specials["kind"]
        live = self.sites["location"].astype(np.int64) + self.sites["narrow"] + self.sites["wide"]
        rules = {
            "a site's function": _within(self.sites["function"], self.functions),
            "a site's frame rule": _within(self.sites["row"], self.rows),
            "a site's values": _within(live, self.locations, end=True),
            "the order of sites": _ascending(self.sites["pc"]),
            "the order of functions": _ascending(self.functions["address"]),
            "a function's name": _within(self.functions["name"], self._strings),
            "a function's objects": _slices(self.functions, "object", "objects", self.objects),
            "a function's hash": bool((self.functions["hash"] < 1 << 40).all()),
            "a frame rule's registers": _slices(self.rows, "saved", "saved_count", self.saved),
            "a frame rule's base": bool(registers[self.rows["cfa_reg"]].all()),
            "a saved register": bool(registers[self.saved["reg"]].all()),
            "an object's register": bool(registers[self.objects["reg"]].all()),
            "a value's kind": bool(((kind >= REGISTER) & (kind <= CONSTANT_INDEX)).all()),
            "a value's register": bool((registers[self.locations["reg"]] | (kind >= CONSTANT_VALUE)).all()),
            "a value's constant": _within(offset[kind == CONSTANT_INDEX], self.constants),
            "a value's bit": bool(((offset >= 0) & (offset < 128))[kind == REGISTER].all()),
            # Those of return addresses have no frame rule: 0 stands for none.
            "a special address's kind": bool(((special >= TRAP) & (special <= POINTS)).all()),
            "a special address's rule": bool((self.specials["row"] < max(len(self.rows), 1)).all()),
            "the names": not len(self._strings) or not self._strings[-1],
        }
        for what, good in rules.items():
            if not good:
                raise StackMapError(
                    f"the site index is damaged: {what}", path=self.path, hint="compile the program again"
                )

    @cached_property
    def _pcs(self) -> npt.NDArray[np.uint64]:
        return np.ascontiguousarray(self.sites["pc"])

    def special(self, pc: int) -> tuple[int, int] | None:
        """(kind, row) of a special address."""
        return self._special.get(pc)

    def call_at(self, pc: int) -> Site | None:
        """The call site whose return address is `pc`."""
        if pc not in self._calls:  # a deep recursion returns to few places
            self._calls[pc] = self._find(pc, point=False)
        return self._calls[pc]

    def stop_at(self, pc: int) -> Site | None:
        """The site at which a thread stopped at `pc` is described: a point, else a call that may be stopped at."""
        point = self._find(pc, point=True)
        if point:
            return point
        call = self.call_at(pc)
        return None if call is None or call.flags & SITE_NO_STOP else call

    def _find(self, pc: int, *, point: bool) -> Site | None:
        at = int(np.searchsorted(self._pcs, pc))
        while at < len(self._pcs) and int(self._pcs[at]) == pc:
            site = self.site(at)
            if site.is_point == point:
                return site
            at += 1
        return None

    def site(self, number: int) -> Site:
        """Row `number` of the site table."""
        if number not in self._sites:
            row = self.sites[number]
            self._sites[number] = Site(
                number,
                *(int(row[name]) for name in ("pc", "function", "id", "result", "flags", "row")),
                *(int(row[name]) for name in ("narrow", "wide", "location", "size")),
            )
        return self._sites[number]

    def function(self, number: int) -> Function:
        """Row `number` of the function table."""
        if number not in self._functions:
            row = self.functions[number]
            first, count = int(row["object"]), int(row["objects"])
            table = self.objects[first : first + count]
            columns = (table[name].tolist() for name in ("reg", "offset", "size", "alignment"))
            self._functions[number] = Function(
                number,
                int(row["resume"]),
                int(row["hash"]),
                bool(int(row["flags"]) & FUNCTION_DYNAMIC),
                tuple(zip(*columns, strict=True)),
            )
        return self._functions[number]

    def values(self, site: Site) -> list[tuple[int, int, int, int]]:
        """(kind, size, DWARF register, offset) of each live value of a site, narrow ones first."""
        if site.number not in self._values:
            rows = self.locations[site.location : site.location + site.narrow + site.wide]
            self._values[site.number] = rows.tolist()
        return self._values[site.number]

    def rule(self, row: int) -> FrameRule:
        """Row `row` of the frame rules."""
        if row not in self._rules:
            entry = self.rows[row]
            first, count = int(entry["saved"]), int(entry["saved_count"])
            saved = self.saved[first : first + count]
            pairs = tuple(zip(saved["reg"].tolist(), saved["offset"].tolist(), strict=True))
            self._rules[row] = FrameRule(int(entry["cfa_reg"]), int(entry["cfa_offset"]), pairs)
        return self._rules[row]

    def name(self, function: int) -> str:
        """Name of a function by its row."""
        start = int(self.functions[function]["name"])
        text = self._strings[start : start + 4096].tobytes()
        return text[: text.find(b"\0")].decode(errors="replace")

    def function_at(self, address: int) -> int | None:
        """Row of the function (not its resume entry) whose code holds an address."""
        at = int(np.searchsorted(self.functions["address"], address, side="right")) - 1
        if at < 0 or address >= int(self.functions[at]["address"]) + int(self.functions[at]["size"]):
            return None
        return at

    def nearest(self, address: int) -> str:
        """The function that holds an address, or begins next to it: its name and where it begins."""
        inside = self.function_at(address)
        if inside is None and not len(self.functions):
            return "none"
        starts = self.functions["address"].astype(np.float64)
        row = int(np.argmin(np.abs(starts - address))) if inside is None else inside
        return f"{self.name(row)}, at {int(self.functions[row]['address']):#x}"


Column = npt.NDArray[Any]


def _within(rows: Column, table: Column, *, end: bool = False) -> bool:
    """Row numbers of a table; with `end` those behind a row."""
    return bool(((rows >= 0) & (rows < len(table) + end)).all())


def _slices(owner: Column, first: str, count: str, table: Column) -> bool:
    return _within(owner[first].astype(np.int64) + owner[count], table, end=True)


def _ascending(column: Column) -> bool:
    return bool((column[1:] >= column[:-1]).all())

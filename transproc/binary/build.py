# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the site index of a linked binary: joins stack maps, call-frame information and symbols (docs/format.md, section 6).

Runs once, at link time. Pure: bytes out, nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from transproc.binary import sites, stackmap
from transproc.binary.cfi import FrameTable, Row
from transproc.binary.elf import STT_FUNC, Elf
from transproc.errors import BinaryError, StackMapError
from transproc.isa import by_machine

SPECIALS = {
    "__transproc_syscall_trap": sites.TRAP,
    "__transproc_syscall_done": sites.TRAP_DONE,
    "__transproc_start_return": sites.BOTTOM_MAIN,
    "__transproc_clone_return": sites.BOTTOM_THREAD,
    "__transproc_resume_return": sites.LOOP,
    "__transproc_resume_syscall_return": sites.RESUME_SYSCALL,
    "__transproc_poll": sites.POLL,
    "__transproc_labels": sites.LABELS,
    "__transproc_points": sites.POINTS,
}
ADDRESSES = ("resume_loop", "resume_syscall", "end", "tp_offset", "args")
"""Runtime symbols whose addresses the header holds, in its order, without their prefix."""
RETURN_SPECIALS = {sites.BOTTOM_MAIN, sites.BOTTOM_THREAD, sites.LOOP, sites.RESUME_SYSCALL}
"""Specials that are return addresses: their frame rule is that of the call before them."""

OWN = b".own"
"""Ends the second name of a function whose first one may be bound to another object's (llvm/lib/Tables.cpp)."""

Columns = npt.NDArray[np.void]


@dataclass
class _Rows:
    """Frame rules and their saved registers, each distinct one kept once."""

    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    saved: list[tuple[int, int]] = field(default_factory=list)
    known: dict[Row, int] = field(default_factory=dict)

    def add(self, row: Row) -> int:
        if row not in self.known:
            self.known[row] = len(self.rows)
            self.rows.append((row.register, len(row.saved), row.offset, len(self.saved)))
            self.saved += row.saved
        return self.known[row]

    def tables(self) -> tuple[Columns, Columns]:
        rows = np.zeros(len(self.rows), sites.ROW)
        for name, column in zip(
            ("cfa_reg", "saved_count", "cfa_offset", "saved"), zip(*self.rows, strict=True), strict=False
        ):
            rows[name] = column
        saved = np.zeros(len(self.saved), sites.SAVED)
        if self.saved:
            saved["reg"], saved["offset"] = zip(*self.saved, strict=True)
        return rows, saved


def build(elf: Elf, mate_build_id: bytes) -> bytes:
    """The index of one binary of a pair, as the bytes of its section."""
    maps = stackmap.parse(elf.section(".llvm_stackmaps") or b"", elf.path)
    table = np.frombuffer(elf.section(".transproc.functions") or b"", "<u8")
    if len(table) % 3:
        raise StackMapError("function table is truncated", path=elf.path)
    functions, strings = _functions(elf, table.reshape(-1, 3))
    maps = _bound(maps.select(_linked(maps, functions)), functions)
    frames = FrameTable(elf, {register.dwarf for register in by_machine(elf.machine).registers})
    rules = _Rows()
    site_table, objects = _sites(elf, maps, functions, frames, rules)
    specials = _specials(elf, frames, rules)
    locations = _locations(maps, by_machine(elf.machine).zero_register)
    _read_slots(locations, site_table)
    rows, saved = rules.tables()
    tables = [functions, site_table, locations, maps.constants, rows, saved, objects, specials, strings]
    return _pack(elf, mate_build_id, tables)


def _linked(maps: stackmap.StackMaps, functions: Columns) -> npt.NDArray[np.bool_]:
    """Which records are of functions that are in the program: of an inline function every object has a copy, with records, and
    the linker has kept one. The others' resume entries have the address 0, and they themselves that of the one kept.
    """
    kept: npt.NDArray[np.bool_] = np.isin(maps.id >> np.uint64(24), functions["hash"]) & (maps.function != 0)
    return kept


def _bound(maps: stackmap.StackMaps, functions: Columns) -> stackmap.StackMaps:
    """The records at the functions that they were made for: the name of a weak one may be bound to another."""
    order = np.argsort(functions["hash"], kind="stable")
    known, wanted = functions["hash"][order], maps.id >> np.uint64(24)
    first = np.searchsorted(known, wanted)
    # static ones of equal names, in files of equal names, are told by their addresses
    alone = np.searchsorted(known, wanted, side="right") - first == 1
    place = functions["address"][order[np.where(alone, first, 0)]] if len(order) else maps.function
    moved = alone & ~np.isin(maps.function, functions["resume"])
    function: npt.NDArray[np.uint64] = np.where(moved, place, maps.function)
    pc: npt.NDArray[np.uint64] = maps.pc + (function - maps.function)
    return replace(maps, function=function, pc=pc)


def _locations(maps: stackmap.StackMaps, zero_register: int | None) -> Columns:
    """The location rows; what LLVM found in the zero register becomes a constant, so that readers need not know of it."""
    out = np.zeros(len(maps.locations), sites.LOCATION)
    for name in ("kind", "reg", "offset"):
        out[name] = maps.locations[name]
    out["size"] = np.minimum(maps.locations["size"], 255)
    if zero_register is not None:
        zero = (out["kind"] == stackmap.REGISTER) & (out["reg"] == zero_register)
        for name, value in (("kind", stackmap.CONSTANT), ("reg", 0), ("offset", 0)):
            out[name][zero] = value
    return out


def _read_slots(locations: Columns, site_table: Columns) -> None:
    """A resume entry's lists name slots of its frame, for what lies there; to a reader that is what an indirect location says."""
    resumed = site_table[site_table["flags"] & sites.SITE_IN_RESUME != 0]
    first, narrow = resumed["location"].astype(np.int64), resumed["narrow"].astype(np.int64)
    values = np.repeat(first - np.cumsum(narrow) + narrow, narrow) + np.arange(int(narrow.sum()))
    slots = values[locations["kind"][values] == stackmap.DIRECT]
    locations["kind"][slots], locations["size"][slots] = stackmap.INDIRECT, 8


def _functions(elf: Elf, table: npt.NDArray[np.uint64]) -> tuple[Columns, npt.NDArray[np.uint8]]:
    """Function rows by address, named and sized by the symbol table."""
    table = table[np.argsort(table[:, 0], kind="stable")]
    out = np.zeros(len(table), sites.FUNCTION)
    out["address"], out["resume"] = table[:, 0], table[:, 1]
    out["hash"] = table[:, 2] >> np.uint64(24)
    if len(table) and np.any(np.diff(out["address"].astype(np.int64)) == 0):
        raise StackMapError("two functions have one address", path=elf.path)
    symbols = elf.symbol_table
    symbols = symbols[(symbols["info"] & 15) == STT_FUNC]
    symbols = symbols[np.argsort(symbols["value"], kind="stable")]
    at = np.searchsorted(symbols["value"], out["address"])
    if len(out) and (
        not len(symbols) or np.any(symbols["value"][np.minimum(at, len(symbols) - 1)] != out["address"])
    ):
        raise BinaryError("a function with sites has no symbol", path=elf.path)
    strings = bytearray(b"\0")
    text = bytes(elf.section(".strtab") or b"\0")
    for i, row in enumerate(symbols[at] if len(out) else []):
        out["size"][i] = row["size"]
        out["name"][i] = len(strings)
        start = int(row["name"])
        strings += text[start : text.index(b"\0", start)].removesuffix(OWN) + b"\0"
    return out, np.frombuffer(bytes(strings), np.uint8)


def _sites(
    elf: Elf, maps: stackmap.StackMaps, functions: Columns, frames: FrameTable, rules: _Rows
) -> tuple[Columns, Columns]:
    """The site rows by pc, and the objects (whose slices are entered into `functions`)."""
    shape = stackmap.shape(maps, elf.path)
    owner, in_resume = _owners(elf, maps, functions)
    if np.any(functions["hash"][owner] != maps.id >> np.uint64(24)):
        raise StackMapError("a site belongs to another function than its address says", path=elf.path)
    start, size = functions["address"][owner], functions["size"][owner]
    if np.any(~in_resume & ((maps.pc < start) | (maps.pc > start + size))):
        raise StackMapError("a site lies outside of its function", path=elf.path)
    tails = np.stack([shape.tail, shape.rest], axis=1)
    objects = _objects(elf, maps, functions, owner, tails)
    out = np.zeros(len(maps.id), sites.SITE)
    out["pc"], out["function"], out["id"] = maps.pc, owner, maps.id & np.uint64(0xFFFFFF)
    out["location"], out["narrow"], out["wide"] = shape.head + 1, shape.narrow, shape.wide
    out["result"] = shape.result
    no_stop = ~shape.point & (out["result"] == sites.NO_RESULT)
    out["flags"] = np.where(in_resume, sites.SITE_IN_RESUME, 0) | np.where(no_stop, sites.SITE_NO_STOP, 0)
    order = np.lexsort((shape.point, out["pc"]))
    out, is_point = out[order], shape.point[order]
    for i, (pc, point) in enumerate(zip(out["pc"].tolist(), is_point.tolist(), strict=True)):
        # A call may be the last instruction of its function: its frame is the one in force before its return address.
        row = frames.row(pc if point else pc - 1)
        if row is None:
            raise BinaryError(f"no frame information at site {pc:#x}", path=elf.path)
        out["row"][i] = rules.add(row)
    return out, objects


def _owners(
    elf: Elf, maps: stackmap.StackMaps, functions: Columns
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """For each record: the row of its function, and whether it lies in the resume entry."""
    resumed = np.argsort(functions["resume"], kind="stable")
    in_resume = np.isin(maps.function, functions["resume"])
    plain = np.searchsorted(functions["address"], maps.function)
    clone = np.searchsorted(functions["resume"][resumed], maps.function)
    last = max(len(functions) - 1, 0)
    owner = np.where(
        in_resume, resumed[np.minimum(clone, last)] if len(functions) else 0, np.minimum(plain, last)
    )
    if len(maps.id) and (
        not len(functions) or np.any(~in_resume & (functions["address"][owner] != maps.function))
    ):
        raise StackMapError(
            "a stack map belongs to a function that is not in the function table", path=elf.path
        )
    return owner.astype(np.int64), in_resume


def _objects(
    elf: Elf,
    maps: stackmap.StackMaps,
    functions: Columns,
    owner: npt.NDArray[np.int64],
    tails: npt.NDArray[np.int64],
) -> Columns:
    """Reads the object lists (one for each function that has any) and enters their slices into `functions`.

    `tails`: for each record the index and the number of the locations behind its live values. A list comes again where a back
    end has copied its site's block, and then counts once.
    """
    out: list[tuple[int, int, int, int]] = []
    for i in np.flatnonzero(tails[:, 1]).tolist():
        start, length = tails[i].tolist()
        word = int(maps.constant_at(np.array([start]))[0])
        count = word & 0xFFFFFFFF
        if length != 1 + 2 * count:
            raise StackMapError("an object list has the wrong length", path=elf.path)
        function = functions[int(owner[i])]
        first, known = int(function["object"]), int(function["objects"])
        dynamic = sites.FUNCTION_DYNAMIC if word >> 32 & 1 else 0
        function["flags"] = dynamic | (sites.FUNCTION_JUMPS if word >> 33 & 1 else 0)
        places = maps.locations[start + 1 : start + 1 + 2 * count : 2]
        sizes = maps.constant_at(np.arange(start + 2, start + 2 + 2 * count, 2))
        if np.any(places["kind"] != stackmap.DIRECT):
            raise StackMapError("a stack object is not at a fixed place of its frame", path=elf.path)
        found = [
            (int(place["reg"]), int(place["offset"]), size & (1 << 48) - 1, size >> 48)
            for place, size in zip(places, sizes.tolist(), strict=True)
        ]
        if not known:
            function["object"], function["objects"] = len(out), count
            out += found
        elif out[first : first + known] != found:
            raise StackMapError("two lists of a function's stack objects differ", path=elf.path)
    table = np.zeros(len(out), sites.OBJECT)
    if out:
        for name, column in zip(("reg", "offset", "size", "alignment"), zip(*out, strict=True), strict=True):
            table[name] = column
    return table


def _specials(elf: Elf, frames: FrameTable, rules: _Rows) -> Columns:
    found = []
    for name, kind in SPECIALS.items():
        if name not in elf.symbols:
            raise BinaryError(f"symbol {name} is missing: not linked with transproc's runtime", path=elf.path)
        pc = elf.symbols[name]
        row = frames.row(pc - 1 if kind in RETURN_SPECIALS else pc)
        found.append((pc, kind, 0 if row is None else rules.add(row)))
    out = np.zeros(len(found), sites.SPECIAL)
    for i, values in enumerate(sorted(found)):
        out[i] = values
    return out


def _pack(elf: Elf, mate: bytes, tables: list[npt.NDArray[np.generic]]) -> bytes:
    if len(elf.build_id) != 20 or len(mate) != 20:
        raise BinaryError("expected a build-id of 20 bytes (link with --build-id=sha1)", path=elf.path)
    body = bytearray(sites.HEADER_SIZE)
    places: list[int] = []
    types: tuple[np.dtype[Any], ...] = sites.TABLES
    for table, dtype in zip(tables, types, strict=True):
        body += bytes(-len(body) % 16)
        places += [len(body), len(table)]
        body += np.ascontiguousarray(table).view(dtype).tobytes() if len(table) else b""
    places += [0] * (24 - len(places))
    text = elf.section_range(".text")
    addresses = [elf.symbols[f"__transproc_{name}"] for name in ADDRESSES]
    header = sites.HEADER.pack(sites.MAGIC, elf.machine, 0, elf.build_id, mate, *text, *places, *addresses)
    body[: len(header)] = header
    return bytes(body)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What must hold for every object that transproc-cc makes, proved from its code and its tables.

1. Both halves have the same functions with sites, the same sites, and at each the same numbers of 8- and 16-byte values, the
   same result, and stack objects of the same sizes.
2. In each half, all records of a site agree, and belong to the function that their id names.
3. A call without a site is of a function that cannot reach a site: one of the C library's leaves, or one of this object
   that has no sites itself (for whose calls the same holds) and ends in no jump to a function that can reach one. So there is no
   frame without a site below one with a site.
   Exempt are the functions that the compiler reports as not migratable, and the runtime's own, which end what they are called for
   before a stack is read.

That no value is live across a site and listed nowhere needs no check here: the resume entry, made of the same lists, defines
every value that it uses, or LLVM's verifier refuses the module (llvm/lib/Sites.cpp).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transproc.binary import pinned, stackmap
from transproc.binary.compare import Report
from transproc.binary.relocatable import Place, Relocatable
from transproc.errors import StackMapError, TransprocError, UnsupportedError
from transproc.toolchain import archive, dual

_JUMP26, _CALL26, _PC32, _PLT32 = 282, 283, 2, 4
_CALL_OPCODE, _JUMP_OPCODE = 0xE8, 0xE9
_CONDITIONAL = range(0x80, 0x90)
"""Second byte of the conditional jumps of x86_64; the first is 0x0F."""
_RUNTIME = "__transproc_"
_BL, _BL_MASK = 0x94000000, 0xFC000000
_MAP_HEADER, _MAP_ROW, _TABLE_ROW = 16, 24, 24

Lists = dict[tuple[str, int], tuple[int, int, int]]
"""(function, id's low bits) → (narrow, wide, result)."""


@dataclass
class ObjectReport(Report):
    """What the checks found in one object or archive."""

    file: str
    members: int = 0
    functions: int = 0
    sites: int = 0
    live_values: int = 0
    calls_without_site: int = 0


@dataclass
class _Half:
    """One half's tables, by function name."""

    object: Relocatable
    rows: dict[Place, str]
    """Functions with sites, and their resume entries, each with the function's name."""
    lists: Lists
    objects: dict[str, tuple[int, ...]]
    returns: set[Place]
    pinned: dict[str, str]


def check(path: Path, leaves: Iterable[str]) -> ObjectReport:
    """Checks an object or an archive of objects; `leaves`: functions of other files that cannot reach a site."""
    report = ObjectReport(str(path))
    known = set(leaves)
    for name, data in _members(path):
        report.members += 1
        try:
            _check(report, data, name, known)
        except TransprocError as error:
            report.problems.append(error.message)
    return report


def is_object(path: Path) -> bool:
    """Whether a file is an object or an archive, and not a program."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError:
        return False
    return head.startswith((archive.MAGIC, archive.THIN)) or (
        head[:4] == b"\x7fELF" and head[16:18] == b"\1\0"
    )


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    data = path.read_bytes()
    if not data.startswith((archive.MAGIC, archive.THIN)):
        yield str(path), data
        return
    for member in archive.read(path):
        yield f"{path}({member.name})", member.read()


def _check(report: ObjectReport, data: bytes, what: str, leaves: set[str]) -> None:
    x86_64, aarch64 = dual.split(data, what)
    halves = {"x86_64": _half(x86_64, what), "aarch64": _half(aarch64, f"{what}, aarch64")}
    first, second = halves.values()
    report.functions += len(set(first.rows.values()))
    report.sites += len(first.lists)
    report.live_values += sum(narrow + wide for narrow, wide, _ in first.lists.values())
    report.not_migratable |= first.pinned
    _compare(report, what, first, second)
    for isa, half in halves.items():
        reaching = _reaching(half, isa, leaves)
        for place, callee in decoder_of(isa).calls(half.object):
            if place not in half.returns:
                report.calls_without_site += 1
                if callee in reaching or _may_reach(half, callee, leaves):
                    _report_call(report, half, place, callee)


def _compare(report: ObjectReport, what: str, first: _Half, second: _Half) -> None:
    ours, theirs = set(first.rows.values()), set(second.rows.values())
    report.problems += [f"{what}: {name} has sites in one half only" for name in sorted(ours ^ theirs)]
    for key in sorted(first.lists.keys() & second.lists.keys()):
        if first.lists[key] != second.lists[key]:
            report.problems.append(
                f"{what}: {key[0]}, site {key[1]:#x}: {first.lists[key]} in x86_64, {second.lists[key]} in aarch64"
            )
    for name in sorted(first.objects.keys() | second.objects.keys()):
        if first.objects.get(name) != second.objects.get(name):
            report.problems.append(f"{what}: {name}: stack objects differ")
    if first.pinned != second.pinned:
        report.problems.append(f"{what}: functions that are not migratable differ")


def _half(data: bytes, what: str) -> _Half:
    """Reads the tables of one half. Raises `StackMapError` where they contradict each other."""
    elf = Relocatable(data, what)
    rows: dict[Place, str] = {}
    hashes: dict[str, int] = {}
    for table in elf.find_all(".transproc.functions"):
        ids = np.frombuffer(elf.contents(table), "<u8").reshape(-1, 3)[:, 2] >> np.uint64(24)
        for relocation in elf.relocations(table):
            row, column = divmod(int(relocation["offset"]), _TABLE_ROW)
            place = elf.target(relocation)
            if column == 0:
                name = rows[place] = elf.name_of(place)
                hashes[name] = int(ids[row])
            else:
                rows[place] = name
    lists, objects, returns = _lists(elf, rows, hashes)
    section = elf.find(pinned.SECTION)
    reasons = pinned.parse(b"" if section is None else elf.contents(section))
    return _Half(elf, rows, lists, objects, returns, reasons)


def _lists(
    elf: Relocatable, rows: dict[Place, str], hashes: dict[str, int]
) -> tuple[Lists, dict[str, tuple[int, ...]], set[Place]]:
    """The stack map by function and site, sizes of each function's stack objects, and all sites' places."""
    section = elf.find(".llvm_stackmaps")
    if section is None:
        return {}, {}, set()
    data = bytearray(elf.contents(section))
    places = [elf.target(r) for r in elf.relocations(section)]
    for row in range(len(places)):  # an index in place of the address, which is not known yet
        at = _MAP_HEADER + _MAP_ROW * row
        data[at : at + 8] = (row << 40).to_bytes(8, "little")
    maps = stackmap.parse(bytes(data), Path(elf.what))
    shape = stackmap.shape(maps)
    lists: Lists = {}
    objects: dict[str, tuple[int, ...]] = {}
    returns: set[Place] = set()
    columns = (maps.id, maps.pc, shape.narrow, shape.wide, shape.result, shape.tail, shape.rest)
    for site, pc, narrow, wide, result, tail, rest in zip(*(c.tolist() for c in columns), strict=True):
        place = places[pc >> 40]
        name = rows.get(place)
        if name is None or hashes[name] != site >> 24:
            raise StackMapError(
                f"site {site:#x} belongs to another function than its address says", path=Path(elf.what)
            )
        key, found = (name, site & 0xFFFFFF), (narrow, wide, result)
        if lists.setdefault(key, found) != found:
            raise StackMapError(f"{name}: records of site {key[1]:#x} differ", path=Path(elf.what))
        if rest:
            objects[name] = tuple(maps.constant_at(np.arange(tail + 2, tail + rest, 2)).tolist())
        returns.add((place[0], place[1] + (pc & (1 << 40) - 1)))
    return lists, objects, returns


Found = Iterator[tuple[Place, Place]]


def _calls_x86_64(elf: Relocatable) -> Found:
    """Those with a relocation, so all of other sections; instructions are not decoded."""
    for section in elf.text_sections():
        code, relocations = elf.contents(section), elf.relocations(section)
        for row in relocations[np.isin(relocations["type"], (_PC32, _PLT32))]:
            at = int(row["offset"])
            if at and code[at - 1] == _CALL_OPCODE:
                yield (section, at + 4), elf.callee(row, bias=4)


def _calls_aarch64(elf: Relocatable) -> Found:
    """All `bl`."""
    for section in elf.text_sections():
        code, relocations = elf.contents(section), elf.relocations(section)
        targets = {int(r["offset"]): elf.callee(r) for r in relocations[relocations["type"] == _CALL26]}
        words = np.frombuffer(code[: len(code) & -4], "<u4")
        for index in np.flatnonzero((words & _BL_MASK) == _BL).tolist():
            at = 4 * index
            distance = (int(words[index]) & ~_BL_MASK) << 2
            near = (section, at + (distance ^ 1 << 27) - (1 << 27))
            yield (section, at + 4), targets.get(at, near)


def _jumps_x86_64(elf: Relocatable) -> Found:
    for section in elf.text_sections():
        code, relocations = elf.contents(section), elf.relocations(section)
        for row in relocations[np.isin(relocations["type"], (_PC32, _PLT32))]:
            at = int(row["offset"])
            conditional = at > 1 and code[at - 2] == 0x0F and code[at - 1] in _CONDITIONAL
            if at and (code[at - 1] == _JUMP_OPCODE or conditional):
                yield (section, at + 4), elf.callee(row, bias=4)


def _jumps_aarch64(elf: Relocatable) -> Found:
    for section in elf.text_sections():
        relocations = elf.relocations(section)
        rows = relocations[relocations["type"] == _JUMP26]
        yield from (((section, int(row["offset"]) + 4), elf.callee(row)) for row in rows)


@dataclass(frozen=True)
class Decoder:
    """What an ISA's encoding shows of direct calls, as (return address, callee), and of direct jumps to other sections, as
    (end of the jump, target).
    """

    calls: Callable[[Relocatable], Found]
    jumps: Callable[[Relocatable], Found]


_DECODERS = {
    "x86_64": Decoder(_calls_x86_64, _jumps_x86_64),
    "aarch64": Decoder(_calls_aarch64, _jumps_aarch64),
}


def decoder_of(isa: str) -> Decoder:
    """How to find calls in an ISA's code. Raises `UnsupportedError` for one without: its objects cannot be proven to be right."""
    if isa not in _DECODERS:
        raise UnsupportedError(f"objects for {isa} cannot be checked: nothing here reads its calls")
    return _DECODERS[isa]


def _reaching(half: _Half, isa: str, leaves: set[str]) -> set[Place]:
    """Functions without sites that may reach one by a jump at their end."""
    elf = half.object
    starts = sorted(elf.functions)
    origins: dict[Place, list[Place]] = {}
    for place, target in decoder_of(isa).jumps(elf):
        owner = _owner(elf, starts, place)
        if owner is not None and owner != target:
            origins.setdefault(target, []).append(owner)
    found: set[Place] = set()
    waiting = [target for target in origins if _may_reach(half, target, leaves)]
    while waiting:
        new = set(origins.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def _may_reach(half: _Half, callee: Place, leaves: set[str]) -> bool:
    """Whether it has sites, or may have: it is in another object."""
    elf = half.object
    return elf.name_of(callee) not in leaves and (callee not in elf.functions or callee in half.rows)


def _report_call(report: ObjectReport, half: _Half, place: Place, callee: Place) -> None:
    elf = half.object
    name = elf.name_of(callee)
    owner = _owner(elf, sorted(elf.functions), place)  # sorts all functions: only where it is wanted
    caller = elf.name_of(owner or place)
    if caller not in half.pinned and not caller.startswith(_RUNTIME):
        report.problems.append(
            f"{elf.what}: {caller} calls {name}, which may reach a site, but has no site there"
        )


def _owner(elf: Relocatable, starts: list[Place], place: Place) -> Place | None:
    """The function, of all by their starts, that holds the instruction that ends at a place."""
    before = bisect_left(starts, place)
    if not before:
        return None
    section, start = owner = starts[before - 1]
    return owner if section == place[0] and place[1] <= start + elf.functions[owner][1] else None

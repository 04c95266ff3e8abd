# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What must hold for every object that transproc-cc makes, proved from its code and its tables.

1. Both halves have the same functions with sites, and at each site that both have (a back end drops calls that are never reached)
   the same numbers of 8- and 16-byte values, the same result, and stack objects of the same sizes.
2. In each half, all records of a site agree, and belong to the function that their id names.
3. A call without a site is of a function that cannot reach a site: one that is known as a leaf (leaves.py), or one of this object
   that has no sites itself (for whose calls the same holds) and ends in no jump to a function that can reach one. So there is no
   frame without a site below one with a site.
   Exempt are the functions that the compiler reports as not migratable, and the runtime's own, which end what they are called for
   before a stack is read. A leaf of the C++ library's that calls what is none is reported as not migratable, too.
4. The same exceptions are caught at each site by both halves and by resume entries (caught.py).

That no value is live across a site and listed nowhere needs no check here: the resume entry, made of the same lists, defines
every value that it uses, or LLVM's verifier refuses the module (llvm/lib/Sites.cpp).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from transproc.binary import pinned, stackmap
from transproc.binary.compare import Report
from transproc.binary.relocatable import Place, Relocatable
from transproc.errors import BinaryError, StackMapError, TransprocError
from transproc.toolchain import archive, caught, dual
from transproc.toolchain.calls import decoder_of, owner
from transproc.toolchain.caught import Record
from transproc.toolchain.leaves import Leaves

_RUNTIME = "__transproc_"
_ENTER = "__transproc_enter"
"""Gives up the stack that it is called on: no frame stays below what it leads to."""
_TABLE_ROW = 24
_OF_CXX = (b"\0_Z", b"_personality_v0\0", b"_Unwind_")
"""In tables of symbols' names."""

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
    records: list[Record]
    pinned: dict[str, str]


@dataclass
class _OfLeaves:
    """What leaves of an archive call, to be judged when all its members are known, by ISA."""

    calls: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    """(caller, callee) without a site."""
    harmless: dict[str, set[str]] = field(default_factory=dict)
    """Functions of the archive that cannot reach a site."""


def check(path: Path, leaves: Leaves) -> ObjectReport:
    """Checks an object or an archive of objects; `leaves`: functions of other files that cannot reach a site."""
    report, rest = ObjectReport(str(path)), _OfLeaves()
    for name, data in _members(path):
        report.members += 1
        try:
            with _damage(name):
                _check(report, rest if leaves.built(path) else None, data, name, leaves)
        except TransprocError as error:
            report.problems.append(error.message)
    _report_leaves(report, rest)
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


def is_of_cxx(path: Path) -> bool:
    """Whether an object, or one of an archive, may call what is in the C++ library: it has names of C++, or is unwound."""
    return any(sign in data for _, data in _members(path) for sign in _OF_CXX)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    data = path.read_bytes()
    if not data.startswith((archive.MAGIC, archive.THIN)):
        yield str(path), data
        return
    with _damage(str(path)):
        members = archive.read(path)
    for member in members:
        yield f"{path}({member.name})", member.read()


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """What a damaged file makes of reading it, and no reader has found before, is a `BinaryError`."""
    try:
        yield
    except (ArithmeticError, LookupError, ValueError) as error:
        raise BinaryError(f"is damaged: {error}", path=what) from error


def _check(report: ObjectReport, rest: _OfLeaves | None, data: bytes, what: str, leaves: Leaves) -> None:
    """`rest`: None, if what is compiled as a leaf is no exception."""
    names = (what, f"{what}, aarch64")
    found = zip(dual.MACHINES, dual.split(data, what), names, strict=True)
    halves = {isa: _half(half, name) for isa, half, name in found}
    first, second = halves.values()
    report.functions += len(set(first.rows.values()))
    report.sites += len(first.lists)
    report.live_values += sum(narrow + wide for narrow, wide, _ in first.lists.values())
    report.not_migratable |= first.pinned
    _compare(report, what, first, second)
    report.problems += caught.compare(
        what, *((half.object, half.rows, half.records) for half in halves.values())
    )
    leaf = rest is not None and not first.rows and archive.functions(data, what) <= leaves.names
    for isa, half in halves.items():
        known = leaves.of(isa)
        reaching = _reaching(half, isa, known)
        if rest is not None:
            reach = reaching | half.rows.keys()
            rest.harmless.setdefault(isa, set()).update(
                name for name, place in half.object.names_of_functions() if place not in reach
            )
        for place, callee in decoder_of(isa).calls(half.object):
            if place in half.returns:
                continue
            report.calls_without_site += 1
            if callee in reaching or _may_reach(half, callee, known):
                pair = _names(half, place, callee)
                if rest is not None and leaf:
                    rest.calls.setdefault(isa, set()).add(pair)
                else:
                    _report_call(report, half, *pair)


def _report_leaves(report: ObjectReport, rest: _OfLeaves) -> None:
    """What a leaf calls, and can be stopped."""
    found: dict[str, set[str]] = {}
    for isa, pairs in rest.calls.items():
        for caller, callee in pairs:
            exempt = caller.startswith(_RUNTIME) or callee == _ENTER
            if callee not in rest.harmless[isa] and not exempt:
                found.setdefault(caller, set()).add(callee)
    for caller, callees in sorted(found.items()):
        report.not_migratable[caller] = f"is a leaf, and calls {', '.join(sorted(callees))}"


def _compare(report: ObjectReport, what: str, first: _Half, second: _Half) -> None:
    ours, theirs = set(first.rows.values()), set(second.rows.values())
    report.problems += [f"{what}: {name} has sites in one half only" for name in sorted(ours ^ theirs)]
    of_first, of_second = dual.MACHINES
    for key in sorted(first.lists.keys() & second.lists.keys()):
        mine, other = first.lists[key], second.lists[key]
        if mine != other:
            report.problems.append(
                f"{what}: {key[0]}, site {key[1]:#x}: {mine} in {of_first}, {other} in {of_second}"
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
        names: dict[int, str] = {}
        ids = np.frombuffer(elf.contents(table), "<u8").reshape(-1, 3)[:, 2] >> np.uint64(24)
        for relocation in elf.relocations(table):
            row, column = divmod(int(relocation["offset"]), _TABLE_ROW)
            place = elf.target(relocation)
            if column == 0:
                names[row] = elf.name_of(place)
                hashes[names[row]] = int(ids[row])
            elif row not in names:
                raise StackMapError(f"row {row} of the functions' table has no function", path=Path(what))
            rows[place] = names[row]
    lists, objects, returns, records = _lists(elf, rows, hashes)
    section = elf.find(pinned.SECTION)
    reasons = pinned.parse(b"" if section is None else elf.contents(section))
    return _Half(elf, rows, lists, objects, returns, records, reasons)


def _lists(
    elf: Relocatable, rows: dict[Place, str], hashes: dict[str, int]
) -> tuple[Lists, dict[str, tuple[int, ...]], set[Place], list[Record]]:
    """The stack map by function and site, sizes of each function's stack objects, all sites' places, and all records."""
    section = elf.find(".llvm_stackmaps")
    if section is None:
        return {}, {}, set(), []
    data, path = bytearray(elf.contents(section)), Path(elf.what)
    relocations = elf.relocations(section)
    places = [elf.target(relocation) for relocation in relocations]
    if np.any(relocations["offset"] + 8 > len(data)):
        raise StackMapError("an address is beyond the stack map", path=path)
    for row, at in enumerate(relocations["offset"].tolist()):
        # In place of the address, which is not known yet.
        data[at : at + 8] = (row << 40).to_bytes(8, "little")
    maps = stackmap.parse(bytes(data), path)
    shape = stackmap.shape(maps, path)
    lists: Lists = {}
    objects: dict[str, tuple[int, ...]] = {}
    returns: set[Place] = set()
    records: list[Record] = []
    columns = (maps.id, maps.pc, shape.narrow, shape.wide, shape.result, shape.tail, shape.rest)
    for site, pc, narrow, wide, result, tail, rest in zip(*(c.tolist() for c in columns), strict=True):
        if pc >> 40 >= len(places):
            raise StackMapError(f"site {site:#x} has no address", path=path)
        place = places[pc >> 40]
        name = rows.get(place)
        if name is None or hashes[name] != site >> 24:
            raise StackMapError(
                f"site {site:#x} belongs to another function than its address says", path=path
            )
        key, found = (name, site & 0xFFFFFF), (narrow, wide, result)
        if lists.setdefault(key, found) != found:
            raise StackMapError(f"{name}: records of site {key[1]:#x} differ", path=path)
        if rest:
            objects[name] = tuple(maps.constant_at(np.arange(tail + 2, tail + rest, 2), path).tolist())
        offset = pc & (1 << 40) - 1
        returns.add((place[0], place[1] + offset))
        records.append((name, site, place, offset))
    return lists, objects, returns, records


def _reaching(half: _Half, isa: str, leaves: frozenset[str]) -> set[Place]:
    """Functions without sites that may reach one by a jump at their end."""
    elf = half.object
    starts = sorted(elf.functions)
    origins: dict[Place, list[Place]] = {}
    for place, target in decoder_of(isa).jumps(elf):
        origin = owner(elf, starts, place)
        if origin is not None and origin != target:
            origins.setdefault(target, []).append(origin)
    found: set[Place] = set()
    waiting = [target for target in origins if _may_reach(half, target, leaves)]
    while waiting:
        new = set(origins.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def _may_reach(half: _Half, callee: Place, leaves: frozenset[str]) -> bool:
    """Whether it has sites, or may have: it is in another object. A leaf's name says nothing of a function that is here."""
    elf = half.object
    if elf.definition(callee) in half.rows:
        return True
    return callee not in elf.functions and elf.name_of(callee) not in leaves


def _names(half: _Half, place: Place, callee: Place) -> tuple[str, str]:
    """Of caller and callee."""
    elf = half.object
    caller = owner(elf, sorted(elf.functions), place)  # sorts all functions: only where it is wanted
    return elf.name_of(caller or place), elf.name_of(callee)


def _report_call(report: ObjectReport, half: _Half, caller: str, callee: str) -> None:
    if caller not in half.pinned and not caller.startswith(_RUNTIME):
        report.problems.append(
            f"{half.object.what}: {caller} calls {callee}, which may reach a site, but has no site there"
        )

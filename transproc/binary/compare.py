# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whether the two binaries of a pair agree: what `transproc check PROG` reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transproc.binary import pinned, sites
from transproc.binary.elf import STT_FUNC, STT_OBJECT, STT_TLS
from transproc.binary.pair import Binary, pair_of
from transproc.binary.sites import Index
from transproc.errors import MismatchError


@dataclass(kw_only=True)
class Report:
    """What a check found: functions that cannot be migrated while they run, each with the reason, and every disagreement."""

    not_migratable: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """No problem was found."""
        return not self.problems


@dataclass
class PairReport(Report):
    """What `transproc check` found: counts, and every disagreement."""

    program: str
    build_ids: dict[str, str] = field(default_factory=dict)
    functions: int = 0
    sites: int = 0
    live_values: int = 0
    objects: int = 0
    symbols: int = 0
    not_stoppable: int = 0


def check(program: Path) -> PairReport:
    """Compares the two binaries of a pair: mates, segments, symbols, TLS, functions, sites and live values."""
    pair = pair_of(program)
    report = PairReport(str(program), {isa: b.build_id.hex() for isa, b in pair.binaries.items()})
    try:
        pair.verify()
    except MismatchError as error:
        report.problems.append(error.message)
    first, second = pair.binaries.values()
    _compare_symbols(report, first, second)
    _compare_functions(report, first.index, second.index)
    _compare_sites(report, first.index, second.index)
    report.not_migratable = pinned.of(first.elf)
    if report.not_migratable != pinned.of(second.elf):
        report.problems.append("the functions that are not migratable differ")
    return report


def _common_symbols(binary: Binary) -> dict[tuple[str, int, int], int]:
    """(name, kind, how many times seen) → address, of the data, functions and TLS in the common part."""
    low = binary.index.text_start
    table = binary.elf.symbol_table
    kind = table["info"] & 15
    tls = kind == STT_TLS
    wanted = (((kind == STT_OBJECT) | (kind == STT_FUNC)) & (table["value"] >= low)) | tls
    strings = bytes(binary.elf.section(".strtab") or b"\0")
    out: dict[tuple[str, int, int], int] = {}
    for name, k, value in zip(
        *(column[wanted].tolist() for column in (table["name"], kind, table["value"])), strict=True
    ):
        out[(strings[name : strings.index(b"\0", name)].decode(errors="replace"), k, value)] = value
    return out


def _compare_symbols(report: PairReport, first: Binary, second: Binary) -> None:
    a, b = _common_symbols(first), _common_symbols(second)
    report.symbols = len(a)
    for name, _, value in sorted(a.keys() ^ b.keys())[:10]:
        where = first if (name, _, value) in a else second
        report.problems.append(f"symbol {name} is at {value:#x} only in {where.path.name}")


def _compare_functions(report: PairReport, first: Index, second: Index) -> None:
    report.functions, report.objects = len(first.functions), len(first.objects)
    names = ("address", "resume", "hash")
    if len(first.functions) != len(second.functions):
        report.problems.append(f"{len(first.functions)} functions with sites against {len(second.functions)}")
        return
    for name in names:
        for i in np.flatnonzero(first.functions[name] != second.functions[name])[:5].tolist():
            report.problems.append(f"function {first.name(i)}: {name} differs")
    report.problems += [f"function {name}: stack objects differ" for name in differing_objects(first, second)]
    for i in np.flatnonzero(first.functions["objects"] == second.functions["objects"]).tolist():
        if not np.array_equal(_object_sizes(first, i), _object_sizes(second, i)):
            report.problems.append(f"function {first.name(i)}: stack objects differ in size")


def _object_sizes(index: Index, function: int) -> npt.NDArray[np.uint32]:
    start, count = (int(index.functions[name][function]) for name in ("object", "objects"))
    return index.objects["size"][start : start + count]


def differing_objects(first: Index, second: Index) -> list[str]:
    """Functions whose frames are migrated with stack objects that the other binary does not have, by name.

    A function of which a back end kept no site at all is never on a stack that is moved: it lists nothing there.
    """
    used = np.ones(len(first.functions), np.bool_)
    for index in (first, second):
        plain = (index.sites["flags"] & sites.SITE_IN_RESUME) == 0
        used &= np.isin(np.arange(len(used)), index.sites["function"][plain])
    differ = (first.functions["objects"] != second.functions["objects"]) | (
        first.functions["flags"] != second.functions["flags"]
    )
    return [first.name(i) for i in np.flatnonzero(used & differ).tolist()]


def _compare_sites(report: PairReport, first: Index, second: Index) -> None:
    tables = [_site_lists(index) for index in (first, second)]
    plain = (first.sites["flags"] & sites.SITE_IN_RESUME) == 0
    report.sites = int(plain.sum())
    report.live_values = int((first.sites["narrow"][plain].astype(int) + first.sites["wide"][plain]).sum())
    report.not_stoppable = int(((first.sites["flags"] & sites.SITE_NO_STOP) != 0)[plain].sum())
    both = tables[0].keys() & tables[1].keys()
    for key in sorted(both):
        if tables[0][key] != tables[1][key]:
            function, site = key
            report.problems.append(
                f"{first.name(function)}, site {site:#x}: lists differ: {tables[0][key]} and {tables[1][key]}"
            )
            if len(report.problems) > 20:
                return


def _site_lists(index: Index) -> dict[tuple[int, int], tuple[int, int, int]]:
    """(function row, site id) → (narrow, wide, result); copies of one site must agree already within one binary."""
    rows = index.sites
    keys = zip(rows["function"].tolist(), rows["id"].tolist(), strict=True)
    values = zip(rows["narrow"].tolist(), rows["wide"].tolist(), rows["result"].tolist(), strict=True)
    return dict(zip(keys, values, strict=True))

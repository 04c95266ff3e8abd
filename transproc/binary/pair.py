"""The two binaries of one program, found by build-id and compared.

A pair is `PROG.x86_64` and `PROG.aarch64`, each of which names the other's build-id in its site index.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from transproc.binary import sites
from transproc.binary.elf import STT_FUNC, STT_OBJECT, STT_TLS, Elf
from transproc.binary.sites import Index
from transproc.errors import BinaryError, MismatchError, TransprocError, UnsupportedError
from transproc.isa import ALL, Isa, by_machine, by_name


class Binary:
    """One binary of a pair: the mapped file and its index."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.elf = Elf(path)
        self.isa: Isa = by_machine(self.elf.machine)

    @cached_property
    def index(self) -> Index:
        """The site index; raises `UnsupportedError` where there is none."""
        return Index(self.elf)

    @property
    def build_id(self) -> bytes:
        """The file's build-id."""
        return self.elf.build_id


@dataclass(frozen=True)
class Pair:
    """A program's binaries by ISA name."""

    binaries: dict[str, Binary]

    def __getitem__(self, isa: str) -> Binary:
        return self.binaries[isa]

    def verify(self) -> None:
        """Raises `MismatchError` unless each binary names the other as its mate."""
        for isa, binary in self.binaries.items():
            (other,) = [mate for name, mate in self.binaries.items() if name != isa]
            if binary.index.mate != other.build_id:
                raise MismatchError(
                    f"{binary.path} belongs to a binary with build-id {binary.index.mate.hex()}, "
                    f"but {other.path} has {other.build_id.hex()}",
                    hint="both files must come from the same link; compile the program again",
                )


def pair_of(program: Path) -> Pair:
    """The pair that lies beside a program: `program`, `program.x86_64` or `program.aarch64` may be named."""
    stem = program
    for isa in ALL:
        stem = program.with_name(program.name.removesuffix(f".{isa.name}")) if stem == program else stem
    found = {isa.name: stem.with_name(f"{stem.name}.{isa.name}") for isa in ALL}
    missing = [path for path in found.values() if not path.is_file()]
    if len(missing) == len(found):
        if not program.exists():
            raise MismatchError(
                f"{program}: no such file", hint="name the program as transproc-cc wrote it (-o)"
            )
        raise UnsupportedError(
            f"{program} was not linked by transproc-cc: there are no {' and '.join(path.name for path in missing)} beside it",
            hint="compile with transproc-cc, and keep PROG.x86_64 and PROG.aarch64 beside PROG",
        )
    if missing:
        raise MismatchError(
            f"{missing[0]} does not exist: {stem.name} is not a pair of binaries",
            hint="compile with transproc-cc, and keep PROG.x86_64 and PROG.aarch64 beside PROG",
        )
    pair = Pair({isa: Binary(path) for isa, path in found.items()})
    for name, binary in pair.binaries.items():
        if binary.isa != by_name(name):
            raise BinaryError(f"expected {name} code, found {binary.isa.name}", path=binary.path)
    return pair


class PairStore:
    """Looks pairs up by the build-id of either binary, among programs and directories."""

    def __init__(self, places: Iterable[Path]) -> None:
        self._places = list(places)
        self._known: dict[bytes, Pair] = {}

    def find(self, build_id: bytes, name: str = "the program") -> Pair:
        """The verified pair that holds a build-id. Raises `MismatchError` if there is none."""
        if build_id not in self._known:
            self._known[build_id] = self._search(build_id, name)
        return self._known[build_id]

    def _search(self, build_id: bytes, name: str) -> Pair:
        stale: list[str] = []
        for program in self._programs():
            try:
                pair = pair_of(program)
            except TransprocError as error:
                stale.append(str(error))
                continue
            if build_id in {binary.build_id for binary in pair.binaries.values()}:
                pair.verify()
                return pair
            stale.append(f"{program} is of another build")
        places = ", ".join(str(place) for place in self._places) or "nowhere"
        raise MismatchError(
            f"no pair of binaries for {name} (build-id {build_id.hex() or 'none'}); looked in {places}"
            + "".join(f"\n  {line}" for line in stale),
            hint="name the directory of PROG.x86_64 and PROG.aarch64 that the process was started from",
        )

    def _programs(self) -> Iterable[Path]:
        for place in self._places:
            if place.is_dir():
                yield from sorted(place.glob("*.x86_64"))
            else:
                yield place


@dataclass
class PairReport:
    """What `transproc check` found: counts, and every disagreement."""

    program: str
    build_ids: dict[str, str] = field(default_factory=dict)
    functions: int = 0
    call_sites: int = 0
    points: int = 0
    live_values: int = 0
    objects: int = 0
    symbols: int = 0
    not_stoppable: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """No problem was found."""
        return not self.problems


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
    names = ("address", "resume", "hash", "objects", "flags")
    if len(first.functions) != len(second.functions):
        report.problems.append(f"{len(first.functions)} functions with sites against {len(second.functions)}")
        return
    for name in names:
        for i in np.flatnonzero(first.functions[name] != second.functions[name])[:5].tolist():
            report.problems.append(f"function {first.name(i)}: {name} differs")
    if len(first.objects) == len(second.objects):
        differ = np.flatnonzero(first.objects["size"] != second.objects["size"])
        report.problems += [f"stack object {i} differs in size" for i in differ[:5].tolist()]
    else:
        report.problems.append(f"{len(first.objects)} stack objects against {len(second.objects)}")


def _compare_sites(report: PairReport, first: Index, second: Index) -> None:
    tables = [_site_lists(index) for index in (first, second)]
    point = (first.sites["id"] & 1).astype(bool) & ((first.sites["flags"] & sites.SITE_IN_RESUME) == 0)
    plain = (first.sites["flags"] & sites.SITE_IN_RESUME) == 0
    report.points, report.call_sites = int(point.sum()), int((plain & ~point).sum())
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

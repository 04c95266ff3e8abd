# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The two binaries of one program, found by build-id.

A pair is `PROG.x86_64` and `PROG.aarch64`, each of which names the other's build-id in its site index.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from transproc.binary.elf import Elf
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

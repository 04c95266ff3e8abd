# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Archives of dual objects (`ar`), and which of their members a program needs.

    archive := "!<arch>\n" member*        member := 60-byte header, contents, padding to 2
    thin    := "!<thin>\n" member*        member := 60-byte header; the contents are in the file that it names

The same members must go into both binaries, so they are chosen here and not by the linker: a member is taken if either
half of the program refers to a symbol that it defines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from transproc.errors import BinaryError, MismatchError, TransprocError
from transproc.toolchain import dual
from transproc.toolchain.symbols import COMMON, FUNCTION, GLOBAL
from transproc.toolchain.symbols import read as read_symbols

ONE_HALF = (
    "objcopy, strip and ld know the half for x86_64 only: rename at compile time (-DOLD=NEW), combine by transproc-cc -r, "
    "strip the program"
)
"""What to do about a dual object of which only one half was changed."""

AR = "llvm-ar-19"

MAGIC = b"!<arch>\n"
THIN = b"!<thin>\n"
_HEADER_SIZE = 60


@dataclass(frozen=True)
class Symbols:
    """What an object offers to and wants from others."""

    defined: frozenset[str]
    wanted: frozenset[str]
    """Undefined symbols; weak references are not among them, because they pull nothing."""
    common: bool = False
    """Some of those defined are tentative definitions."""
    one_sided: frozenset[str] = frozenset()
    """Undefined ones that only one half wants: what its back end calls on its own account."""


@dataclass(frozen=True)
class Member:
    """One dual object of an archive."""

    archive: Path
    name: str
    offset: int
    size: int
    symbols: Symbols

    def read(self) -> bytes:
        """Its contents."""
        with self.archive.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def is_archive(path: Path) -> bool:
    """Whether a file is one, whatever its name: some are called built-in.o. Raises `TransprocError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) in (MAGIC, THIN)
    except OSError as error:
        raise TransprocError(f"{path}: {error.strerror}") from error


def functions(data: bytes, what: str) -> set[str]:
    """Global functions that a dual object defines."""
    x86_64, _ = dual.split(data, what)
    return {s.name for s in read_symbols(x86_64, what) if s.section and s.type == FUNCTION}


def symbols(data: bytes, what: str) -> Symbols:
    """Symbols of both halves of a dual object. Raises `MismatchError` if a tool has changed one of them only."""
    halves = [read_symbols(half, what) for half in dual.split(data, what)]
    offers = [{(s.name, s.binding) for s in half if s.section} for half in halves]
    if differing := sorted(offers[0] ^ offers[1]):
        raise MismatchError(f"{what}: its halves differ: {differing[0][0]}", hint=ONE_HALF)
    wants = [{s.name for s in half if not s.section and s.binding == GLOBAL} for half in halves]
    defined = frozenset(name for name, _ in offers[0])
    common = any(symbol.section == COMMON for symbol in halves[0])
    return Symbols(defined, frozenset(wants[0] | wants[1]) - defined, common, frozenset(wants[0] ^ wants[1]))


def _raw_members(data: bytes, path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, offset and size of each member, as `ar` writes them (System V variant, with a table of long names)."""
    thin = data.startswith(THIN)
    if not thin and not data.startswith(MAGIC):
        raise BinaryError("is not an archive", path=path)
    names = b""
    position = len(MAGIC)
    while position + _HEADER_SIZE <= len(data):
        header = data[position : position + _HEADER_SIZE]
        if header[58:60] != b"`\n":
            raise BinaryError("archive member header is damaged", path=path, offset=position)
        size = int(header[48:58])
        if size < 0:
            raise BinaryError("archive member has a negative size", path=path, offset=position)
        name = header[:16].rstrip().decode()
        position += _HEADER_SIZE
        if name == "//":
            names = data[position : position + size]
        elif name not in {"/", "/SYM64/"}:
            if name.startswith("/"):
                start = int(name[1:])
                name = names[start : names.index(b"/\n", start)].decode()
            yield name.rstrip("/"), position, size
            if thin:
                continue
        position += size + size % 2


def _members(data: bytes, path: Path) -> list[tuple[str, int, int]]:
    """`_raw_members`; raises `BinaryError` for a damaged archive."""
    try:
        return list(_raw_members(data, path))
    except (ValueError, IndexError) as error:
        raise BinaryError("archive member header is damaged", path=path) from error


def contents(path: Path) -> list[tuple[str, bytes]]:
    """Name and bytes of each member, whatever it is; not of a thin archive. Raises `BinaryError` for a damaged one."""
    data = path.read_bytes()
    return [(name, data[at : at + size]) for name, at, size in _members(data, path)]


def read(path: Path) -> list[Member]:
    """Members of an archive; from the index beside it, if that is as new (the sysroot's libc has one)."""
    index = _index(path)
    if index.exists():
        rows = json.loads(index.read_text())
        return [Member(path, n, o, s, Symbols(frozenset(d), frozenset(w))) for n, o, s, d, w in rows]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TransprocError(f"{path}: {error.strerror}") from error
    if data.startswith(THIN):
        return [_thin_member(path, name) for name, _, _ in _members(data, path)]
    return [
        Member(path, name, offset, size, symbols(data[offset : offset + size], f"{path}({name})"))
        for name, offset, size in _members(data, path)
    ]


def _thin_member(path: Path, name: str) -> Member:
    """A member of a thin archive: a file, named from the archive's directory."""
    file = path.parent / name
    try:
        data = file.read_bytes()
    except OSError as error:
        raise TransprocError(f"{path}({name}): {error.strerror}") from error
    return Member(file, name, 0, len(data), symbols(data, f"{path}({name})"))


def _index(path: Path) -> Path:
    """Where it is; no file of a program's is called so."""
    return path.with_name(f"{path.name}.transproc")


def write_index(path: Path) -> None:
    """Writes the index of an archive that will not change again."""
    rows = [
        (m.name, m.offset, m.size, sorted(m.symbols.defined), sorted(m.symbols.wanted)) for m in read(path)
    ]
    _index(path).write_text(json.dumps(rows, separators=(",", ":")))


def select(
    wanted: Iterable[str],
    defined: Iterable[str],
    members: list[Member],
    meant: Mapping[str, str] | None = None,
) -> list[Member]:
    """Members needed, directly or by other members, in the archives' order. `meant`: names for which the linker puts others
    (--wrap).
    """
    meant = meant or {}
    offers: dict[str, int] = {}
    for number, member in enumerate(members):
        for name in member.symbols.defined:
            offers.setdefault(name, number)
    have, todo, chosen = set(defined), list(wanted), set[int]()
    while todo:
        name = todo.pop()
        name = meant.get(name, name)
        if name in have or name not in offers:
            continue
        number = offers[name]
        chosen.add(number)
        have |= members[number].symbols.defined
        todo += members[number].symbols.wanted
    return [members[number] for number in sorted(chosen)]


def pack(objects: Iterable[tuple[str, bytes]]) -> bytes:
    """An archive without symbol table, for `--whole-archive`."""
    parts = [MAGIC]
    table = bytearray()
    bodies = []
    for name, data in objects:
        where = len(table)
        table += name.encode() + b"/\n"
        header = f"/{where:<15}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode()
        bodies += [header, data, b"\n" * (len(data) % 2)]
    table += b"\n" * (len(table) % 2)
    parts.append(f"{'//':<48}{len(table):<10}`\n".encode() + bytes(table))
    return b"".join(parts + bodies)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A plan or a batch with all the files that it names, as one directory: so it goes to a controller, and is kept there.

    tour.toml            as its user wrote it
    .transproc-parcel    JSON: what the file calls a file, and where that is in this directory
    1/prog.x86_64 …      the files

A parcel may come from anybody: before anything of it is opened it is seen that no link leads out of it (`expect_plain`).
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import stat
import tarfile
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from transproc.errors import FormatError, TransprocError
from transproc.isa import ALL

NAMES = ".transproc-parcel"
LARGEST = 1 << 22
"""Bytes of what that file may have: a plan has at most 1 MiB, and names no file longer than it is."""
TOP = "files"
"""The archive's top entry."""


@dataclass
class Parcel:
    """What is sent: `file` with its `text`; `names`: what it calls files of this host; `tree`: a directory that is sent whole."""

    file: str
    text: str
    names: Mapping[str, Path] = field(default_factory=dict)
    tree: Path | None = None

    @property
    def contents(self) -> list[tuple[str, Path]]:
        """Names in the parcel and what is there, without the file itself."""
        if self.tree is not None:
            inside = sorted(self.tree.iterdir())
            return [(one.name, one) for one in inside if one.name != self.file and _is_sent(one)]
        return [
            (f"{number}/{path.name}", path)
            for number, named in enumerate(self.names.values(), 1)
            for path in _of(named)
        ]

    @property
    def index(self) -> dict[str, str]:
        """What is in NAMES."""
        return {word: f"{number}/{path.name}" for number, (word, path) in enumerate(self.names.items(), 1)}


def pair(path: Path) -> list[Path]:
    """Where the binaries are of a program that is named so."""
    name = path.name
    for isa in ALL:
        name = name.removesuffix(f".{isa.name}")
    return [path.with_name(f"{name}.{isa.name}") for isa in ALL]


def _of(named: Path) -> list[Path]:
    """What a name means: itself, or the two binaries of a program."""
    return [path for path in dict.fromkeys([named, *pair(named)]) if path.exists()]


def _is_sent(path: Path) -> bool:
    """Images of earlier runs stay."""
    return not path.name.endswith(".img")


# --- sending ---------------------------------------------------------------------------------------------------------


@contextmanager
def packed(parcel: Parcel) -> Iterator[IO[bytes]]:
    """A stream with its archive. Raises `TransprocError` for what cannot be read."""
    outlet, inlet = os.pipe()
    failed: list[OSError] = []

    def write() -> None:
        try:
            with os.fdopen(inlet, "wb") as sink, tarfile.open(fileobj=sink, mode="w|") as archive:
                _write(archive, parcel)
        except BrokenPipeError:
            pass  # whoever reads has ended, and says why
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=write, name="transproc-parcel", daemon=True)
    thread.start()
    try:
        with os.fdopen(outlet, "rb") as stream:
            yield stream
    except TransprocError:
        thread.join()
        if not failed:
            raise
    thread.join()
    if failed:
        raise TransprocError(f"{parcel.file}: a file that it names cannot be sent: {failed[0]}") from failed[
            0
        ]


def _write(archive: tarfile.TarFile, parcel: Parcel) -> None:
    made: set[str] = set()
    _directory(archive, TOP, made)
    _file(archive, f"{TOP}/{parcel.file}", parcel.text.encode())
    if parcel.tree is None:
        _file(archive, f"{TOP}/{NAMES}", json.dumps(parcel.index).encode())
    for name, path in parcel.contents:
        if "/" in name:
            _directory(archive, f"{TOP}/{name.partition('/')[0]}", made)
        archive.add(path.resolve() if parcel.tree is None else path, f"{TOP}/{name}", filter=_sendable)


def _sendable(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Devices and sockets stay, and whose a file is here means nothing there."""
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk() or member.isfifo()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _directory(archive: tarfile.TarFile, name: str, made: set[str]) -> None:
    if name not in made:
        made.add(name)
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(member)


def _file(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    archive.addfile(member, io.BytesIO(data))


# --- keeping ---------------------------------------------------------------------------------------------------------


def directory(state: Path) -> Path:
    """Where those that were sent are kept, in a state directory."""
    return state / "parcels"


def keep(state: Path, received: Path) -> Path:
    """A directory that was received becomes a parcel that is kept; returns it."""
    directory(state).mkdir(mode=0o700, exist_ok=True)
    kept = directory(state) / secrets.token_hex(8)
    received.rename(kept)
    return kept


def forget(state: Path, file: Path) -> None:
    """Removes the parcel that holds a file, if one does."""
    if file.parent.parent == directory(state):
        shutil.rmtree(file.parent, ignore_errors=True)


def sweep(state: Path, files: Collection[Path]) -> None:
    """Removes all parcels but those of these files."""
    used = {file.parent for file in files}
    with suppress(FileNotFoundError):
        for kept in directory(state).iterdir():
            if kept not in used:
                shutil.rmtree(kept, ignore_errors=True)


# --- opening ---------------------------------------------------------------------------------------------------------


def names(place: Path) -> Mapping[str, Path] | None:
    """What the file of a parcel calls files, and where they are; None if the directory is no parcel.

    Raises `FormatError` for one that is damaged, or not meant well.
    """
    path = place / NAMES
    expect_plain(place, path)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError:
        return None
    try:
        found = json.loads(raw[:LARGEST])
    except (ValueError, RecursionError) as error:
        raise FormatError("is not valid JSON", path=path) from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise FormatError("expected a table of names", path=path)
    for name in found.values():
        if "\0" in name or name.startswith("/") or ".." in name.split("/"):
            raise FormatError("a name leads out of it", path=path)
        expect_plain(place, place / name, tree=True)
        for binary in pair(place / name):
            expect_plain(place, binary)
    return {word: place / name for word, name in found.items()}


def expect_plain(place: Path, path: Path, *, tree: bool = False) -> None:
    """Raises `TransprocError` for what is not in a parcel by itself but elsewhere, or by a link; not if there is nothing.

    `tree`: it may be a directory.
    """
    if not path.is_relative_to(place):
        raise TransprocError(f"{path.name}: is not among what was sent")
    parents = [parent for parent in path.parents if parent.is_relative_to(place)]
    good = (0, stat.S_IFREG, stat.S_IFDIR) if tree else (0, stat.S_IFREG)
    if _kind(path) not in good or any(_kind(parent) not in (0, stat.S_IFDIR) for parent in parents):
        raise TransprocError(f"{path.name}: was sent as something else than a file")


def _kind(path: Path) -> int:
    """As `stat.S_IFMT` has it; 0: it is not there."""
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except OSError:
        return 0

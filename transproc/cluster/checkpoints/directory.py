# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints on the host's file system: complete or absent, for their owner alone.

One is written under a name that no checkpoint has (`.NAME-…~`), brought to the disk, and renamed at the end; one that is to go is
renamed first. So whatever is killed or full, and also after a loss of power, a directory of a checkpoint's name is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from transproc.cluster.checkpoints.manifest import LARGEST, Manifest, parse
from transproc.cluster.members import FILES, Checker
from transproc.errors import FormatError, StoreError, TransprocError
from transproc.images.files import create, open_regular

MANIFEST, SUMS, IMAGES, PAIR, ARCHIVE = "manifest.json", "SHA256SUMS", "images", "pair", "files.tar"
TOP = "data"
"""The directory in the archive: the job's `data/`."""
_NAME = re.compile(r"(?P<job>.+)-\d{8}T\d{6}Z-(?P<number>\d{1,9})")
_DRAFT = re.compile(r"\..+~")
_SUM = re.compile(r"([0-9a-f]{64})  ([^\n]+)")
_PIECE = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose manifest has been read."""

    path: Path
    manifest: Manifest

    @property
    def images(self) -> Path:
        """The dump."""
        return self.path / IMAGES

    @property
    def pair(self) -> Path:
        """Holds PROG.x86_64 and PROG.aarch64."""
        return self.path / PAIR

    @property
    def archive(self) -> Path:
        """The job's files."""
        return self.path / ARCHIVE

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(self.manifest.contents.values())


def listed(directory: Path, name: str) -> list[Path]:
    """Where the checkpoints of a job are, oldest first; none if there is no such directory."""
    found = {}
    for path in directory.iterdir() if directory.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match and match["job"] == name and path.is_dir() and not path.is_symlink():
            found[int(match["number"])] = path
    return [found[number] for number in sorted(found)]


def all_in(directory: Path) -> list[Path]:
    """Where checkpoints of any jobs are, by name and number; none if there is no such directory."""
    found = [
        path for path in (directory.iterdir() if directory.is_dir() else ()) if _NAME.fullmatch(path.name)
    ]
    names = {match["job"] for path in found if (match := _NAME.fullmatch(path.name))}
    return [path for name in sorted(names) for path in listed(directory, name)]


def latest(directory: Path, name: str) -> Path | None:
    """Where the newest checkpoint of a job is."""
    return next(reversed(listed(directory, name)), None)


def next_path(directory: Path, name: str) -> tuple[Path, int]:
    """Where the next checkpoint of a job is to be, and its number."""
    last = latest(directory, name)
    match = last and _NAME.fullmatch(last.name)
    number = int(match["number"]) + 1 if match else 1
    return directory / f"{name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{number}", number


def prune(directory: Path, name: str, keep: int) -> list[Path]:
    """Removes all but the newest `keep` checkpoints of a job; returns which."""
    gone = listed(directory, name)[: -keep or None]
    for path in gone:
        remove(path)
    return gone


def remove(path: Path) -> None:
    """Removes a checkpoint, as a whole."""
    hidden = path.with_name(f".{path.name}~")
    path.rename(hidden)
    shutil.rmtree(hidden)


def discard_drafts(directory: Path, name: str) -> None:
    """Removes those of a job that were cut off, when nobody writes one."""
    for path in directory.iterdir() if directory.is_dir() else ():
        match = _NAME.fullmatch(path.name[1:-1])
        if match and match["job"] == name:
            discard(path)


def discard(path: Path) -> None:
    """Removes a draft that was cut off; nothing else."""
    if _DRAFT.fullmatch(path.name):
        shutil.rmtree(path, ignore_errors=True)


class Draft:
    """A checkpoint that is being written; `path` is to be its place. `finish` makes it one, `discard` removes it."""

    def __init__(self, path: Path) -> None:
        self.final = path
        self.path = path.with_name(f".{path.name}~")
        self.images, self.pair, self.archive = self.path / IMAGES, self.path / PAIR, self.path / ARCHIVE

    def make(self) -> None:
        """Makes its directories. Raises `StoreError`."""
        with _errors(self.final):
            self.final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700)
            self.pair.mkdir(mode=0o700)

    def open_archive(self) -> BinaryIO:
        """A new file for the job's files."""
        return create(self.archive)

    def add_binary(self, path: Path) -> None:
        """Copies one of the pair."""
        with _errors(self.final), path.open("rb") as source, create(self.pair / path.name) as target:
            shutil.copyfileobj(source, target)

    def contents(self) -> dict[str, int]:
        """Sizes of all files, by their names in the manifest."""
        return {str(path.relative_to(self.path)): path.lstat().st_size for path in _files(self.path)}

    def finish(self, manifest: Manifest) -> Checkpoint:
        """Writes manifest and sums, brings all to the disk, and gives the directory its name. Raises `StoreError`."""
        with _errors(self.final):
            with create(self.path / MANIFEST) as file:
                file.write(manifest.text().encode())
            lines = [
                f"{_digest(self.path / name)}  {name}\n" for name in [MANIFEST, *sorted(manifest.contents)]
            ]
            with create(self.path / SUMS) as file:
                file.write("".join(lines).encode())
            for path in [*_files(self.path), self.images, self.pair, self.path]:
                _sync(path)
            self.path.rename(self.final)
            _sync(self.final.parent)
        return Checkpoint(self.final, manifest)

    def discard(self) -> None:
        """Nothing is left of it."""
        discard(self.path)


def read(path: Path) -> Checkpoint:
    """A checkpoint, whose files are all there, with their sizes. Raises `TransprocError` if there is none, or it is damaged."""
    if not path.is_dir():
        raise TransprocError(f"{path}: no such directory")
    if not (path / MANIFEST).exists():
        inside = [found.name for found in path.iterdir() if _NAME.fullmatch(found.name)]
        hint = f"in it there are {', '.join(sorted(inside))}" if inside else None
        raise FormatError(f"is no checkpoint: it has no {MANIFEST}", path=path, hint=hint)
    with open_regular(path / MANIFEST) as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise FormatError(f"has more than {LARGEST} bytes", path=path / MANIFEST)
    found = Checkpoint(path, parse(text, path / MANIFEST))
    _check_sizes(found)
    return found


def verify(checkpoint: Checkpoint) -> None:
    """Reads all of it: raises `FormatError` if a file is not what was written, or holds what it must not."""
    expected = _sums(checkpoint.path / SUMS)
    names = {MANIFEST, *checkpoint.manifest.contents}
    if expected.keys() != names:
        odd = ", ".join(sorted(expected.keys() ^ names))
        raise FormatError(f"does not list what is there: {odd}", path=checkpoint.path / SUMS)
    for name, wanted in expected.items():
        checker = _checker(checkpoint) if name == ARCHIVE else None
        if _digest(checkpoint.path / name, checker) != wanted:
            raise FormatError(
                "is not what was written: its checksum differs",
                path=checkpoint.path / name,
                hint="take another checkpoint of the job, if there is one",
            )


def _checker(checkpoint: Checkpoint) -> Checker:
    manifest = checkpoint.manifest
    return Checker(FILES if not manifest.user else FILES.owned_by(manifest.uid), top=TOP)


def _check_sizes(checkpoint: Checkpoint) -> None:
    there = {}
    for path in _files(checkpoint.path):
        there[str(path.relative_to(checkpoint.path))] = path.lstat().st_size
    contents = checkpoint.manifest.contents
    for name in [*contents, MANIFEST, SUMS]:
        open_regular(checkpoint.path / name).close()
    if odd := there.keys() - contents.keys() - {MANIFEST, SUMS}:
        raise FormatError(f"holds what does not belong to it: {', '.join(sorted(odd))}", path=checkpoint.path)
    for name, size in contents.items():
        if there.get(name) != size:
            raise FormatError(f"has {there.get(name)} bytes, expected {size}", path=checkpoint.path / name)


def _files(directory: Path) -> Iterator[Path]:
    """All that is no directory, two levels deep: there are no more."""
    for path in sorted(directory.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from sorted(path.iterdir())
        else:
            yield path


def _sums(path: Path) -> dict[str, str]:
    """Digests by name."""
    with open_regular(path) as file:
        text = file.read(LARGEST).decode(errors="replace")
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _SUM.fullmatch(line)
        if match is None or match[2] in found:
            raise FormatError(f"is damaged: {line[:80]!r}", path=path)
        found[match[2]] = match[1]
    return found


def _digest(path: Path, checker: Checker | None = None) -> str:
    state = hashlib.sha256()
    with open_regular(path) as file:
        while data := file.read(_PIECE):
            state.update(data)
            if checker is not None:
                checker.feed(data)
    if checker is not None:
        checker.finish()
    return state.hexdigest()


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"the checkpoint {path}: {error.strerror or error}") from error

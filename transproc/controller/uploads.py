# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What clients send to be started: both binaries, standard input, and files.

    STATE/controller/uploads/ID/     token's id in `owner`, then x86_64, aarch64, stdin, and files/ of an archive that was checked

An upload belongs to the token that has made it, is used once, and does not outlive the controller, nor an hour.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from pathlib import Path
from typing import IO

from transproc.cluster import archive
from transproc.cluster.members import UPLOAD
from transproc.errors import BusyError, MissingError, TransprocError

MOST_BYTES = 4 << 30
"""Of one part."""
MOST_OPEN = 16
"""Of one token at the same time."""
SECONDS = 3600.0
PARTS = ("x86_64", "aarch64", "stdin", "files")
_ID = re.compile(r"[0-9a-f]{16}")


class Uploads:
    """All of them; those of before are removed. Methods may be called from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)

    def begin(self, token: str) -> str:
        """Makes one for the token of that id; returns its id. Raises `BusyError` if the token has too many."""
        self._forget_old()
        if sum(_owner(place) == token for place in self._directory.iterdir()) >= MOST_OPEN:
            raise BusyError(f"{MOST_OPEN} uploads are open", hint="start their programs first")
        identity = secrets.token_hex(8)
        place = self._directory / identity
        place.mkdir(mode=0o700)
        (place / "owner").write_text(token)
        return identity

    def find(self, identity: str, token: str) -> Path:
        """Its directory. Raises `MissingError` if the token has none of that id."""
        place = self._directory / identity
        if not _ID.fullmatch(identity) or _owner(place) != token:
            raise MissingError(f"upload {identity[:40]!r}: there is none")
        return place

    def part(self, identity: str, token: str, part: str) -> Path:
        """Where a part is to be written before `finish`. Raises `MissingError`, `TransprocError` for one that is there."""
        place = self.find(identity, token)
        if part not in PARTS:
            raise MissingError(f"part {part[:40]!r}: expected {', '.join(PARTS)}")
        if (place / part).exists() or (place / f"{part}.new").exists():
            raise TransprocError(f"upload {identity}: has {part} already")
        return place / f"{part}.new"

    def finish(self, draft: Path) -> None:
        """A part has been written: files are unpacked. Raises `FormatError` for an archive that is none."""
        part = draft.with_suffix("")
        if part.name != "files":
            draft.rename(part)
            return
        try:
            with draft.open("rb") as source, archive.unpack(part, UPLOAD) as sink:
                _copy(source, sink)
            _expect_directory(part)
        except BaseException:
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
            raise
        finally:
            draft.unlink(missing_ok=True)

    def remove(self, identity: str) -> None:
        """It has been used."""
        if _ID.fullmatch(identity):
            shutil.rmtree(self._directory / identity, ignore_errors=True)

    def _forget_old(self) -> None:
        for place in self._directory.iterdir():
            if time.time() - place.stat().st_mtime > SECONDS:
                shutil.rmtree(place, ignore_errors=True)


def _expect_directory(part: Path) -> None:
    if not part.is_dir():
        raise TransprocError("files: expected an archive of a directory")


def _owner(place: Path) -> str:
    try:
        return (place / "owner").read_text()
    except OSError:
        return ""


def _copy(source: IO[bytes], sink: IO[bytes]) -> None:
    shutil.copyfileobj(source, sink, 1 << 18)

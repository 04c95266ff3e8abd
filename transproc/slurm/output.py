# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the program prints comes to Slurm's files: all of it, once.

The program writes to files of its own, which move with it. They are copied from where the copy before has ended. How far that was
is noted in a file that stays with the checkpoint, with the size of Slurm's file then: Slurm truncates it when a job is requeued,
or goes on at its end (`--open-mode=append`, `JobFileAppend`). If it is shorter than noted, or another one, all is printed again.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PIECE = 1 << 18


@dataclass(frozen=True)
class Note:
    """`sent` bytes of a stream were copied when Slurm's file, of that inode number, had `size` bytes."""

    sent: int
    inode: int
    size: int


class Stream:
    """One of the two: from the program's file to one of our descriptors.

    `file`: where Slurm writes it to, by name, if the descriptor is no file but a way to it (`srun`).
    """

    def __init__(self, name: str, descriptor: int, file: str) -> None:
        self.name = name
        self.sent = 0
        self._descriptor = descriptor
        self._file = file
        self._source: int | None = None

    def follow(self, source: Path, note: Note | None) -> None:
        """From now on what comes is from this file, from where it was noted on."""
        self.close()
        self._source = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        found = self._target()
        kept = (
            note is not None
            and found is not None
            and found.st_ino == note.inode
            and found.st_size >= note.size
        )
        self.sent = note.sent if note is not None and (kept or found is None) else 0

    def pump(self) -> bool:
        """Copies what there is; whether that was anything."""
        if self._source is None:
            return False
        any_ = False
        while data := os.pread(self._source, PIECE, self.sent):
            _write(self._descriptor, data)
            self.sent += len(data)
            any_ = True
        return any_

    def note(self) -> Note:
        """How far it is."""
        found = self._target()
        return Note(self.sent, found.st_ino, found.st_size) if found else Note(self.sent, 0, 0)

    def close(self) -> None:
        """Until `follow`, nothing is copied."""
        if self._source is not None:
            os.close(self._source)
            self._source = None

    def _target(self) -> os.stat_result | None:
        """Slurm's file; None for one that is none, such as a terminal."""
        try:
            found = os.fstat(self._descriptor)
            if not stat.S_ISREG(found.st_mode) and self._file:
                found = os.stat(self._file)  # noqa: PTH116 (the same kind of answer)
        except OSError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_notes(path: Path, streams: list[Stream]) -> None:
    """Replaces the notes."""
    text = json.dumps({stream.name: vars(stream.note()) for stream in streams}).encode()
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.pwrite(file, text, 0)
        os.ftruncate(file, len(text))
    finally:
        os.close(file)


def read_notes(path: Path) -> dict[str, Note]:
    """What was noted; nothing if it cannot be read: then all is printed again."""
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
        return {
            name: Note(int(note["sent"]), int(note["inode"]), int(note["size"]))
            for name, note in data.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}

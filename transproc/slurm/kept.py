# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is kept of a program of a job for its next life, on whatever node: checkpoints, and the notes of the user's half.

STATE/UID/JOB/checkpoints/     root's: they hold memory of processes
STATE/UID/JOB/NAME.notes       the user's
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from transproc.cluster import checkpoints
from transproc.errors import TransprocError
from transproc.slurm.owner import Owner, expect_ours

TRIES = 100


@dataclass(frozen=True)
class Kept:
    """Of the program `name` of the job `number`."""

    state: Path
    """Where all jobs have theirs."""
    owner: Owner
    number: str
    name: str

    @property
    def _place(self) -> Path:
        return self.state / str(self.owner.uid) / self.number

    @property
    def checkpoints(self) -> Path:
        """The directory of those of all programs of the job."""
        return self._place / "checkpoints"

    @property
    def notes(self) -> Path:
        """A file of the user's own, for what is to be kept with the checkpoint; root never reads it."""
        return self._place / f"{self.name}.notes"

    def make(self) -> bool:
        """Makes the places; returns whether there were notes already. Another program of the job that ends at the same time may
        remove what is still empty of it. Raises `TransprocError` for places of somebody else.
        """
        for _ in range(TRIES):
            with contextlib.suppress(FileNotFoundError):
                for path in (self.state, self._place.parent, self._place):
                    path.mkdir(mode=0o711, parents=True, exist_ok=True)
                    expect_ours(path)
                self.checkpoints.mkdir(mode=0o700, exist_ok=True)
                return self._make_notes()
        raise TransprocError(f"{self._place}: is removed again and again")

    def _make_notes(self) -> bool:
        try:
            file = os.open(self.notes, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return True
        os.fchown(file, self.owner.uid, self.owner.gid)
        os.close(file)
        return False

    def forget(self) -> None:
        """Removes the program's checkpoints and notes, not those of others in the job's script."""
        checkpoints.discard_drafts(self.checkpoints, self.name)
        for path in checkpoints.listed(self.checkpoints, self.name):
            shutil.rmtree(path, ignore_errors=True)
        self.notes.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # those of others are there
            for path in (self.checkpoints, self._place, self._place.parent):
                path.rmdir()

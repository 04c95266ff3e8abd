# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Directories for what one process needs for a while: keys of a migration, sockets, a compiler's intermediate files.

They go with the process. One that was killed leaves them; each is locked by the process that made it, and a lock ends with
its holder (flock(2)), so that `transproc recover` and a controller know what nobody uses any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

PREFIX = "transproc."
_NAME = re.compile(r"\.?" + re.escape(PREFIX) + r"[a-z0-9_]{8}")
"""As tempfile ends them; with a dot in front until it is locked."""
_LOCKED_SECONDS = 60.0
"""After which none that is not locked will be."""


class Scratch:
    """A new directory for its owner alone, in `parent` or where the system has temporary files.

    It is removed when it is left, closed or forgotten, and at the process's end.
    """

    def __init__(self, parent: str | None = None) -> None:
        made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=parent))
        held = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
        self.path = made.rename(made.with_name(made.name[1:]))
        self._remove = weakref.finalize(self, _remove, self.path, held)

    def close(self) -> None:
        """Removes it, once."""
        self._remove()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sweep() -> list[Path]:
    """Removes what killed processes of this user have left; returns it."""
    now = time.time()
    return [path for place in {tempfile.gettempdir(), "/tmp"} for path in _ours(place, now) if _removed(path)]


def _ours(place: str, now: float) -> Iterator[Path]:
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if not _NAME.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                young = entry.name[0] == "." and 0 <= now - found.st_mtime < _LOCKED_SECONDS
                if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not young:
                    yield Path(entry.path)


def _removed(path: Path) -> bool:
    try:
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return False
    _remove(path, held)
    return not path.exists()


def _remove(path: Path, held: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(held)

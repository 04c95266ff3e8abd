# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Room in this host's memory for what is here only while a small process stands still: its images.

Some thirty small files on a disk that others use as well took as long as all else that this host does in the downtime
(docs/benchmarks.md). What a killed command leaves there goes with the job's other images, or with the machine's next start.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

SHARED = Path("/dev/shm")
"""POSIX's shared memory: a tmpfs, on every Linux with glibc (shm_overview(7))."""
ENOUGH = 64 << 20
"""Bytes that must be free there."""


def directory(owner: Path, name: str) -> Path:
    """For a job of the records in directory `owner`; it need not be there."""
    return _top() / f"{hashlib.sha256(os.fsencode(owner.absolute())).hexdigest()[:16]}-{name}"


def usable() -> bool:
    """Whether such directories can be made: for their owner alone, and with room for more than they need."""
    try:
        _top().mkdir(mode=0o700, exist_ok=True)
        found, room = _top().lstat(), os.statvfs(SHARED)
    except OSError:
        return False
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return ours and room.f_bavail * room.f_frsize >= ENOUGH


def _top() -> Path:
    return SHARED / f"transproc-{os.getuid()}"

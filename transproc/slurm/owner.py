# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whom root's half serves, and which directories it believes."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from transproc.errors import TransprocError


@dataclass(frozen=True)
class Owner:
    """Whose jobs these are."""

    uid: int
    gid: int
    name: str

    @property
    def user(self) -> str | None:
        """As operations want it: root is nobody in particular."""
        return self.name if self.uid else None


def owner() -> Owner:
    """Who has called us: by sudo, or root itself. Raises `TransprocError` for others."""
    if os.geteuid() != 0:
        raise TransprocError(
            "'transproc slurm helper' must be root, as criu must",
            hint="the administrator lets users call it by sudo: docs/slurm.md",
        )
    number = os.environ.get("SUDO_UID", "0")
    try:
        found = pwd.getpwuid(int(number))
    except (ValueError, KeyError) as error:
        raise TransprocError(f"user {number}: not known on this node") from error
    return Owner(found.pw_uid, found.pw_gid, found.pw_name)


def private(path: Path) -> Path:
    """A directory that is root's alone, made when missing. Raises `TransprocError`."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    expect_ours(path)
    return path


def expect_ours(path: Path) -> None:
    """Nobody but root may put anything there: raises `TransprocError`."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or stat.S_IMODE(found.st_mode) & 0o022:
        raise TransprocError(
            f"{path}: is not root's alone",
            hint="the state directory must be root's, mode 711, on a file system where root is root (NFS: no_root_squash)",
        )

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Opening files of an image directory, which another machine may have filled: regular files only, never what a link leads to."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from transproc.errors import ImageError


def open_regular(path: Path) -> BinaryIO:
    """Opens a file for reading; `ImageError` if it is missing, or no regular file."""
    try:
        # O_NONBLOCK: a pipe must not hold us up before we know what it is.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        why = (
            "is a symbolic link, expected a regular file"
            if path.is_symlink()
            else error.strerror or str(error)
        )
        raise ImageError(why, path=path) from error
    file = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(number).st_mode):
        file.close()
        raise ImageError("is no regular file", path=path)
    return file


def create(path: Path) -> BinaryIO:
    """Opens a new file, or an own one that is emptied, for writing: for its owner alone, since an image is memory."""
    return os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb"
    )


def is_regular(path: Path) -> bool:
    """Whether there is a regular file, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Archives of GNU tar, for nodes whose tar is a small one: without holes in files, and with times of whole seconds."""

from __future__ import annotations

import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from transproc.errors import FormatError


def expanded(path: Path) -> int:
    """Bytes of an archive's files with their holes filled. Raises `FormatError`."""
    try:
        with tarfile.open(path, "r:") as archive:
            return sum(member.size for member in archive if member.isreg())
    except (tarfile.TarError, OSError, ValueError) as error:
        raise FormatError(f"is not an archive: {error}", path=path) from error


@contextmanager
def plain(path: Path) -> Iterator[IO[bytes]]:
    """A stream with the same members as any tar reads them. Raises `FormatError` at its end if it could not be completed."""
    outlet, inlet = os.pipe2(os.O_CLOEXEC)
    problems: list[Exception] = []

    def write() -> None:
        try:
            with os.fdopen(inlet, "wb") as sink:
                _rewrite(path, sink)
        except BrokenPipeError:
            pass  # the reader has a reason of its own
        except (tarfile.TarError, OSError, ValueError) as error:
            problems.append(error)

    writer = threading.Thread(target=write, name="plain")
    with os.fdopen(outlet, "rb") as stream:
        writer.start()
        try:
            yield stream
        finally:
            stream.close()
            writer.join()
    if problems:
        raise FormatError(f"is not an archive: {problems[0]}", path=path) from problems[0]


def _rewrite(path: Path, sink: IO[bytes]) -> None:
    with (
        tarfile.open(path, "r:") as source,
        tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as target,
    ):
        for member in source:
            target.addfile(member, source.extractfile(member) if member.isreg() else None)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small images in one piece, made and opened here and by our tool on a node (runtime/tool/parcel.c, docs/format.md).

    parcel: record... end
    record: kind (4 bytes), size of the path (4), size of the contents (8), the path with its NUL, the contents

in little-endian order. To start tar, and a shell around it, on both sides takes longer than a small image takes on its way.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from transproc.cluster.members import Rules
from transproc.errors import FormatError
from transproc.images.files import create, open_regular

LARGEST = 4 << 20
"""Bytes of memory, at most: more goes as a stream, and meanwhile to its target."""
TOO_LARGE = 3
"""Status of our tool if a parcel would have more than 16 MB: memory is not all that an image holds (files without a name)."""
_HEAD = struct.Struct("<IIQ")
_LONGEST_PATH = 4096


class Kind(IntEnum):
    """Of a record."""

    END, DIRECTORY, FILE, LINK = range(4)


def pack(directory: Path) -> bytes:
    """What is below a directory: directories, regular files, symbolic links, as they are named from there."""
    return b"".join([*_packed(os.fspath(directory), ""), _head(Kind.END, "", 0)])


def _packed(top: str, prefix: str) -> Iterator[bytes]:
    with os.scandir(top) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = prefix + entry.name
            if entry.is_symlink():
                target = os.fsencode(Path(entry.path).readlink()) + b"\0"
                yield _head(Kind.LINK, name, len(target)) + target
            elif entry.is_dir():
                yield _head(Kind.DIRECTORY, name, 0)
                yield from _packed(entry.path, f"{name}/")
            else:
                with open_regular(Path(entry.path)) as file:
                    data = file.read()
                yield _head(Kind.FILE, name, len(data))
                yield data


def _head(kind: Kind, name: str, size: int) -> bytes:
    path = os.fsencode(name) + b"\0"
    return _HEAD.pack(kind, len(path), size) + path


def unpack(data: bytes, directory: Path, rules: Rules) -> None:
    """Writes the files of a parcel that a node has made to a new directory, for its owner alone.

    Raises FormatError, and writes nothing, if it is not whole, or holds what the `rules`, which are flat, do not allow.
    """
    files = dict(_files(data, rules))
    for parent in reversed(directory.absolute().parents):  # each of them private, not only the last
        parent.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, content in files.items():
        with create(directory / name) as file:
            file.write(content)


def _files(data: bytes, rules: Rules) -> Iterator[tuple[str, memoryview]]:
    view, at, seen = memoryview(data), 0, set[str]()
    while at + _HEAD.size <= len(data):
        kind, path_size, size = _HEAD.unpack_from(data, at)
        content = at + _HEAD.size + path_size
        if not 0 < path_size <= _LONGEST_PATH or size > len(data) - content:
            break
        path, at = data[content - path_size : content], content + size
        if kind == Kind.END:
            if path == b"\0" and at == len(data):
                return
            break
        name = os.fsdecode(path[:-1])
        if kind != Kind.FILE or path[-1] or not rules.allows(name) or name in seen:
            raise _error(f"holds {name!r}, which has no place in it", rules)
        seen.add(name)
        yield name, view[content:at]
    raise _error("is not whole", rules)


def _error(message: str, rules: Rules) -> FormatError:
    return FormatError(
        f"a parcel of {rules.what} {message}", hint="what the node sends is not what was asked for"
    )

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes initramfs archives: cpio in the "new ASCII" format (kernel: Documentation/driver-api/early-userspace/buffer-format.rst).

The kernel unpacks archives that follow each other in one file, later entries replace earlier ones; so a machine's
own files go into a small archive behind a base shared by all. Everything is owned by root, whoever builds it.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO

ARCHIVE_ALIGNMENT = 512
"""Archives are padded to this, as GNU cpio does; the kernel wants 4."""


def _entry(sink: IO[bytes], inode: int, name: str, mode: int, data: bytes) -> None:
    links = 2 if stat.S_ISDIR(mode) else 1
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    sink.write(head + bytes(-len(head) % 4))
    sink.write(data + bytes(-len(data) % 4))


def _finish(sink: IO[bytes]) -> None:
    _entry(sink, 0, "TRAILER!!!", 0, b"")
    sink.write(bytes(-sink.tell() % ARCHIVE_ALIGNMENT))


def write_tree(sink: IO[bytes], root: Path) -> None:
    """One archive with everything below `root`; directories, regular files and symbolic links only."""
    for inode, path in enumerate(sorted(root.rglob("*")), start=1):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            data = str(path.readlink()).encode()
        elif stat.S_ISREG(mode):
            data = path.read_bytes()
        elif stat.S_ISDIR(mode):
            data = b""
        else:
            raise ValueError(f"{path}: not a directory, regular file or symbolic link")
        _entry(sink, inode, str(path.relative_to(root)), mode, data)
    _finish(sink)


def write_files(sink: IO[bytes], files: Mapping[str, tuple[int, bytes]]) -> None:
    """One archive with regular files, name → (permissions, contents), and their directories (permissions 0755)."""
    parents = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    inode = 0
    for inode, directory in enumerate(sorted(parents), start=1):
        _entry(sink, inode, directory, stat.S_IFDIR | 0o755, b"")
    for number, (name, (mode, data)) in enumerate(files.items(), start=inode + 1):
        _entry(sink, number, name, stat.S_IFREG | mode, data)
    _finish(sink)

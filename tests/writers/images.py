# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Synthetic image directories: as much of one as a test needs, from our own field numbers and raw bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

PAGE = 4096
PARENT, LAZY, PRESENT = 1, 2, 4
COMMON = 0x54564319
PAGEMAP = 0x56084025


def varint(value: int) -> bytes:
    """A protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """A protobuf message from (number, value): integers as varints, bytes as length-delimited."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def image(magic: int, *payloads: bytes, first: int | None = COMMON) -> bytes:
    """An image file."""
    head = b"" if first is None else struct.pack("<I", first)
    return head + struct.pack("<I", magic) + b"".join(struct.pack("<I", len(p)) + p for p in payloads)


def inventory(path: Path) -> None:
    """Makes `path` an image directory."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "inventory.img").write_bytes(image(0x58313116, message((1, 2)), first=None))


def pagemap(
    path: Path,
    rows: Sequence[tuple[int, int, int]],
    pages: bytes,
    *,
    pid: int | str = 1,
    pages_id: int = 1,
    wide: bool = False,
) -> None:
    """`pagemap-<pid>.img` from rows (address, number of pages, flags), and its pages image."""
    entries = [
        message((1, address), *([] if wide else [(2, count)]), (4, flags), *([(5, count)] if wide else []))
        for address, count, flags in rows
    ]
    (path / f"pagemap-{pid}.img").write_bytes(image(PAGEMAP, message((1, pages_id)), *entries))
    (path / f"pages-{pages_id}.img").write_bytes(pages)

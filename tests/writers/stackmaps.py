# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes `.llvm_stackmaps` sections for tests, from the grammar in `transproc.binary.stackmap`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

Location = tuple[int, int, int, int]
"""kind, size, register, offset"""


@dataclass(frozen=True)
class Record:
    """One stack map record of a function."""

    id: int
    offset: int
    locations: Sequence[Location]
    live_outs: int = 0


def block(functions: Sequence[tuple[int, Sequence[Record]]], constants: Sequence[int] = ()) -> bytes:
    """One object's part: functions as (address, records)."""
    records = [record for _, found in functions for record in found]
    out = struct.pack("<BBHIII", 3, 0, 0, len(functions), len(constants), len(records))
    out += b"".join(struct.pack("<QQQ", address, 0, len(found)) for address, found in functions)
    out += b"".join(struct.pack("<Q", constant) for constant in constants)
    for record in records:
        out += struct.pack("<QIHH", record.id, record.offset, 0, len(record.locations))
        out += b"".join(
            struct.pack("<BBHHHi", kind, 0, size, reg, 0, at) for kind, size, reg, at in record.locations
        )
        out += bytes(-len(out) % 8)
        out += struct.pack("<HH", 0, record.live_outs) + bytes(4 * record.live_outs)
        out += bytes(-len(out) % 8)
    return out

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LLVM's `.llvm_stackmaps`, version 3, as numpy columns.

Grammar (LLVM documentation, "Stack Map Section Format"): the section of a linked file is a sequence of blocks, one for each
object, each aligned to 8:

    block    = header function* constant* record*
    header   = u8 version (3), u8, u16, u32 functions, u32 constants, u32 records
    function = u64 address, u64 stack size, u64 records
    constant = u64
    record   = u64 id, u32 instruction offset, u16, u16 locations, location*, pad to 8, u16, u16 live-outs, live-out*, pad to 8
    location = u8 kind, u8, u16 size, u16 register, u16, i32 offset
    live-out = u16 register, u8, u8 size

Records have a variable length, so their starts are found in a loop; everything else is columns.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transproc.errors import StackMapError

REGISTER, DIRECT, INDIRECT, CONSTANT, CONSTANT_INDEX = 1, 2, 3, 4, 5
"""Kinds of location."""

LOCATION = np.dtype(
    [("kind", "u1"), ("pad", "u1"), ("size", "<u2"), ("reg", "<u2"), ("pad2", "<u2"), ("offset", "<i4")]
)
_HEADER = struct.Struct("<BBHIII")
_RECORD = struct.Struct("<QIHH")


@dataclass(frozen=True)
class StackMaps:
    """All records of a linked file.

    id, function, pc: one for each record (function: address of the function that holds it).
    first, count: its slice of `locations`. Constant indexes in `locations` count from the start of `constants`.
    """

    id: npt.NDArray[np.uint64]
    function: npt.NDArray[np.uint64]
    pc: npt.NDArray[np.uint64]
    first: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    locations: npt.NDArray[np.void]
    constants: npt.NDArray[np.uint64]

    def select(self, kept: npt.NDArray[np.bool_]) -> StackMaps:
        """Some of the records."""
        if kept.all():
            return self
        return StackMaps(
            self.id[kept],
            self.function[kept],
            self.pc[kept],
            self.first[kept],
            self.count[kept],
            self.locations,
            self.constants,
        )

    def constant_at(self, index: npt.NDArray[np.int64], path: Path | None = None) -> npt.NDArray[np.uint64]:
        """The values of locations that must be constants (kinds 4 and 5); raises `StackMapError` if one is none.
        `path` only names the file in errors.
        """
        if np.any(index >= len(self.locations)):
            raise StackMapError("a list ends beyond the last one", path=path)
        rows = self.locations[index]
        if not np.all((rows["kind"] == CONSTANT) | (rows["kind"] == CONSTANT_INDEX)):
            raise StackMapError("expected a constant at the head of a list", path=path)
        small = rows["offset"].astype(np.int64).astype(np.uint64)
        pool = rows["offset"][rows["kind"] == CONSTANT_INDEX]
        if np.any((pool < 0) | (pool >= len(self.constants))):
            raise StackMapError("a list refers to a constant that is not there", path=path)
        if not len(self.constants):
            return small
        pooled = self.constants[np.where(rows["kind"] == CONSTANT_INDEX, rows["offset"], 0)]
        return np.where(rows["kind"] == CONSTANT, small, pooled)


@dataclass(frozen=True)
class Shape:
    """How each record's locations are divided (docs/format.md, section 3): one entry for each record.

    head: index of the header constant; narrow, wide: numbers of values behind it; result: the result descriptor;
    tail, rest: index and number of the locations behind the values.
    """

    point: npt.NDArray[np.bool_]
    head: npt.NDArray[np.int64]
    narrow: npt.NDArray[np.int64]
    wide: npt.NDArray[np.int64]
    result: npt.NDArray[np.uint64]
    tail: npt.NDArray[np.int64]
    rest: npt.NDArray[np.int64]


def shape(maps: StackMaps, path: Path | None = None) -> Shape:
    """Reads the header of every record. Raises `StackMapError` for a list that is shorter than its header says."""
    point = (maps.id & np.uint64(1)).astype(bool)
    leading = np.where(point, 0, 3)  # a statepoint's calling convention, flags, number of operands
    head = maps.first + leading
    header = maps.constant_at(head, path)
    narrow = (header & np.uint64(0xFFFF)).astype(np.int64)
    wide = (header >> np.uint64(16) & np.uint64(0xFFFF)).astype(np.int64)
    rest = maps.count - leading - 1 - narrow - wide
    if np.any(rest < 0):
        raise StackMapError("a list is shorter than its header says", path=path)
    return Shape(point, head, narrow, wide, header >> np.uint64(32), head + 1 + narrow + wide, rest)


def parse(section: memoryview | bytes, path: Path | None = None) -> StackMaps:
    """Reads a whole section; `path` only names the file in errors."""
    data = bytes(section)
    blocks: list[_Block] = []
    at = 0
    try:
        while at + _HEADER.size <= len(data):
            if not any(data[at : at + 8]):  # padding between objects
                at += 8
                continue
            block = _Block(data, at, path)
            blocks.append(block)
            at = block.end
    except (struct.error, IndexError, ValueError) as error:
        raise StackMapError(f"truncated stack map: {error}", path=path, offset=at) from error
    return _join(blocks, data)


class _Block:
    """One object's part: where its records and their locations are."""

    def __init__(self, data: bytes, at: int, path: Path | None) -> None:
        version, _, _, functions, constants, records = _HEADER.unpack_from(data, at)
        if version != 3:
            raise StackMapError(f"expected stack map version 3, found {version}", path=path, offset=at)
        at += _HEADER.size
        table = np.frombuffer(data, "<u8", functions * 3, at).reshape(-1, 3)
        at += functions * 24
        self.constants = np.frombuffer(data, "<u8", constants, at)
        at += constants * 8
        if (
            records > (len(data) - at) // _RECORD.size
            or np.any(table[:, 2] > records)  # else their sum may be more than 64 bits
            or int(table[:, 2].sum()) != records
        ):
            raise StackMapError(
                "function and record counts disagree with each other or the size", path=path, offset=at
            )
        self.function = np.repeat(table[:, 0], table[:, 2].astype(np.int64))
        self.id = np.empty(records, np.uint64)
        self.offset = np.empty(records, np.uint64)
        self.start = np.empty(records, np.int64)
        self.count = np.empty(records, np.int64)
        unpack = _RECORD.unpack_from
        for i in range(records):
            self.id[i], self.offset[i], _, n = unpack(data, at)
            self.start[i], self.count[i] = at + 16, n
            at = (at + 16 + 12 * n + 7) & -8
            live_outs = data[at + 2] | data[at + 3] << 8
            at = (at + 4 + 4 * live_outs + 7) & -8
        if at > len(data):
            raise ValueError("last record ends beyond the section")
        self.end = at


def _join(blocks: list[_Block], data: bytes) -> StackMaps:
    """Concatenates the blocks' columns, and gathers all locations into one array."""
    if not blocks:
        empty = np.empty(0, np.uint64)
        none = np.empty(0, np.int64)
        return StackMaps(empty, empty, empty, none, none, np.empty(0, LOCATION), empty)
    base = np.cumsum([0] + [len(block.constants) for block in blocks])
    start = np.concatenate([block.start for block in blocks])
    count = np.concatenate([block.count for block in blocks])
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    # Byte index of every location: its record's start plus 12 for each one before it.
    byte = np.repeat(start - 12 * first, count) + 12 * np.arange(int(count.sum()))
    raw = np.frombuffer(data, np.uint8)
    locations = (
        raw[(byte[:, None] + np.arange(12)).reshape(-1)].view(LOCATION)
        if len(byte)
        else np.empty(0, LOCATION)
    )
    per_block = [int(block.count.sum()) for block in blocks]
    shift = np.repeat(base[:-1], per_block)
    locations["offset"] += np.where(locations["kind"] == CONSTANT_INDEX, shift, 0).astype(np.int32)
    function = np.concatenate([block.function for block in blocks])
    offset = np.concatenate([block.offset for block in blocks])
    return StackMaps(
        np.concatenate([block.id for block in blocks]),
        function,
        function + offset,
        first,
        count,
        locations,
        np.concatenate([block.constants for block in blocks]),
    )

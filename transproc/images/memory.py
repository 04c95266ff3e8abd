# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory in an image: which pages are present, and their bytes.

`pagemap-<pid>.img` lists runs of pages in ascending order. The bytes of all runs marked as present lie one
after the other in `pages-<id>.img`; those of runs marked as in the parent are in the directory behind the
link `parent`, and so on. All levels are resolved once, into one table of runs; from then on the work is
proportional to runs, never to pages.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transproc.errors import ImageError
from transproc.images import kinds, runs
from transproc.images.codec import Image
from transproc.images.directory import ImageDirectory
from transproc.images.files import open_regular
from transproc.images.flags import PageFlag
from transproc.images.proto.memory_pb2 import PagemapEntry, PagemapHead
from transproc.images.runs import U64, Ranges

PAGE_SIZE = 4096

_ADDRESS_END = 1 << 64
_DEEPEST_PARENT = 200
"""Levels of parents; a longer chain is taken for a loop."""


@dataclass(frozen=True)
class _Table:
    """Runs whose bytes are at hand: addresses `[start, end)` at `offset` of the pages image of a level (0:
    this directory).
    """

    start: U64
    end: U64
    level: NDArray[np.intp]
    offset: U64


@dataclass(frozen=True)
class _Pagemap:
    """The rows of one pagemap, as they are."""

    pages_id: int
    start: U64
    end: U64
    flags: NDArray[np.uint32]
    wide: bool
    """Uses the 64-bit count of pages (CRIU 4.2)."""


class Memory:
    """The memory of a process, or of a shared mapping: `Memory(directory, pid)` reads `pagemap-<pid>.img`.

    The images stay mapped; they must not be changed meanwhile. `ImageError` for malformed images, at once or
    when the bytes are asked for.
    """

    def __init__(self, directory: ImageDirectory, pid: int | str) -> None:
        self.directory = directory
        self.pid = pid
        self.name = f"pagemap-{pid}.img"
        self._data: list[mmap.mmap | bytes] = []
        own = _read_pagemap(directory, self.name)
        self.wide_counts = own.wide
        absent = (own.flags & PageFlag.LAZY != 0) & (own.flags & (PageFlag.PRESENT | PageFlag.PARENT) == 0)
        self.lazy = Ranges(own.start[absent], own.end[absent])
        """Pages that are in no image: they follow the process after its restore."""
        self._table = self._load(directory, own)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of memory; `ImageError` if a page of them is absent (all zero, clean, or unmapped:
        unknown here).
        """
        parts = []
        end = address + size
        index = self._find(address)
        while address < end:
            if index < 0 or index >= len(self._table.start) or not self._covers(index, address):
                raise ImageError(f"no page for address {address:#x}", path=self.directory.path / self.name)
            stop = min(end, int(self._table.end[index]))
            offset = int(self._table.offset[index]) + address - int(self._table.start[index])
            parts.append(self._data[int(self._table.level[index])][offset : offset + stop - address])
            address = stop
            index += 1
        return b"".join(parts)

    def read_u64(self, address: int) -> int:
        """Eight bytes as an unsigned integer."""
        (value,) = struct.unpack("<Q", self.read(address, 8))
        return int(value)

    def is_present(self, address: int) -> bool:
        """Whether the image has the page of an address."""
        index = self._find(address)
        return index >= 0 and self._covers(index, address)

    def present(self, start: int = 0, end: int = _ADDRESS_END) -> Ranges:
        """The present ranges of addresses within `[start, end)`, ascending, adjoining ones merged."""
        return self._merged if (start, end) == (0, _ADDRESS_END) else runs.clip(self._merged, start, end)

    @cached_property
    def _merged(self) -> Ranges:
        return runs.merge(Ranges(self._table.start, self._table.end))

    def _find(self, address: int) -> int:
        """Index of the last run that begins at or below an address; -1 if there is none."""
        if not 0 <= address < _ADDRESS_END:
            return -1
        return int(np.searchsorted(self._table.start, np.uint64(address), side="right")) - 1

    def _covers(self, index: int, address: int) -> bool:
        return int(self._table.start[index]) <= address < int(self._table.end[index])

    def _load(self, directory: ImageDirectory, pagemap: _Pagemap, depth: int = 0) -> _Table:
        """The table of one level, its parents' runs included; appends each level's pages to `_data`."""
        here = (pagemap.flags & PageFlag.PRESENT) != 0
        start, end = pagemap.start[here], pagemap.end[here]
        sizes = end - start
        offset = np.cumsum(sizes, dtype=np.uint64) - sizes
        level = len(self._data)
        self._data.append(_map_pages(directory.path / f"pages-{pagemap.pages_id}.img", int(sizes.sum())))
        own = _Table(start, end, np.full(len(start), level, dtype=np.intp), offset)
        there = ~here & ((pagemap.flags & PageFlag.PARENT) != 0)
        if not there.any():
            return own
        borrowed = Ranges(pagemap.start[there], pagemap.end[there])
        return _join(own, self._parent(directory, borrowed, depth))

    def _parent(self, directory: ImageDirectory, wanted: Ranges, depth: int) -> _Table:
        """The runs of the parent directory that lie in `wanted`, all of which must be there."""
        parent = directory.parent()
        where = directory.path / self.name
        if parent is None:
            raise ImageError(
                f"page {int(wanted.start[0]):#x} is in the parent, but there is no parent", path=where
            )
        if depth >= _DEEPEST_PARENT:
            raise ImageError(f"more than {_DEEPEST_PARENT} parents: a loop", path=where)
        table = self._load(parent, _read_pagemap(parent, self.name), depth + 1)
        cut, index = runs.intersect(wanted, Ranges(table.start, table.end))
        missing = runs.subtract(wanted, cut)
        if len(missing.start):
            raise ImageError(
                f"page {int(missing.start[0]):#x} is not in the parent {parent.path}", path=where
            )
        return _Table(
            cut.start, cut.end, table.level[index], table.offset[index] + (cut.start - table.start[index])
        )


def _join(first: _Table, second: _Table) -> _Table:
    """Both tables as one, by address; they do not overlap."""
    start = np.concatenate([first.start, second.start])
    order = np.argsort(start, kind="stable")
    return _Table(
        start[order],
        np.concatenate([first.end, second.end])[order],
        np.concatenate([first.level, second.level])[order],
        np.concatenate([first.offset, second.offset])[order],
    )


def _map_pages(path: Path, size: int) -> mmap.mmap | bytes:
    """A pages image, which must have at least `size` bytes."""
    if size == 0:
        return b""
    try:
        with open_regular(path) as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be mapped: {error}", path=path) from error
    if len(data) < size:
        raise ImageError(f"expected {size} bytes of pages, found {len(data)}", path=path)
    return data


def _read_pagemap(directory: ImageDirectory, name: str) -> _Pagemap:
    path = directory.path / name
    image = directory.image(name, kinds.PAGEMAP)
    entries = image.messages(PagemapEntry)
    start = np.array([entry.vaddr for entry in entries], dtype=np.uint64)
    wide = np.array([entry.HasField("nr_pages") for entry in entries], dtype=np.bool_)
    narrow_pages = np.array([entry.compat_nr_pages for entry in entries], dtype=np.uint64)
    wide_pages = np.array([entry.nr_pages for entry in entries], dtype=np.uint64)
    pages = np.where(wide, wide_pages, narrow_pages)
    flags = np.array([entry.flags or _flags(entry) for entry in entries], dtype=np.uint32)
    if (start % np.uint64(PAGE_SIZE) != 0).any():
        raise ImageError("an address is not aligned to pages", path=path)
    # Compared in pages, where nothing can overflow.
    first = start // np.uint64(PAGE_SIZE)
    if (pages > np.uint64(_ADDRESS_END // PAGE_SIZE - 1) - first).any():
        raise ImageError("a run of pages exceeds the address space", path=path)
    last = first + pages
    if (pages == 0).any() or (last[:-1] > first[1:]).any():
        raise ImageError("the runs of pages are empty or not in ascending order", path=path)
    return _Pagemap(_pages_id(image, path), start, last * np.uint64(PAGE_SIZE), flags, bool(wide.any()))


def _pages_id(image: Image, path: Path) -> int:
    heads = image.messages(PagemapHead)
    if not heads:
        raise ImageError("the pagemap has no head", path=path)
    return heads[0].pages_id


def _flags(entry: PagemapEntry) -> int:
    """Before CRIU 3.0 there was only `in_parent`."""
    if entry.HasField("flags"):
        return entry.flags
    return PageFlag.PARENT if entry.in_parent else PageFlag.PRESENT

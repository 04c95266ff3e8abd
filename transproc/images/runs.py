# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arithmetic on sorted ranges of addresses, without a loop in Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]


@dataclass(frozen=True)
class Ranges:
    """Ranges `[start, end)`: ascending, not empty, not overlapping."""

    start: U64
    end: U64

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.start.tolist(), self.end.tolist(), strict=True)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def size(self) -> int:
        """Bytes in all ranges."""
        return int((self.end - self.start).sum())


def from_pairs(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges from pairs in any order; overlapping and adjoining ones are merged, empty ones dropped."""
    items = [pair for pair in pairs if pair[0] < pair[1]]
    array = np.array(items, dtype=np.uint64).reshape(-1, 2)
    array = array[np.argsort(array[:, 0], kind="stable")]
    return merge(Ranges(array[:, 0], np.maximum.accumulate(array[:, 1]) if items else array[:, 1]))


def merge(ranges: Ranges) -> Ranges:
    """Joins ranges that adjoin (or overlap)."""
    if len(ranges) == 0:
        return ranges
    breaks = ranges.end[:-1] < ranges.start[1:]
    return Ranges(
        ranges.start[np.concatenate([[True], breaks])], ranges.end[np.concatenate([breaks, [True]])]
    )


def clip(ranges: Ranges, start: int, end: int) -> Ranges:
    """The parts of ranges within `[start, end)`; `end` up to 2^64."""
    return intersect(from_pairs([(max(start, 0), min(end, (1 << 64) - 1))]), ranges)[0]


def intersect(first: Ranges, second: Ranges) -> tuple[Ranges, NDArray[np.intp]]:
    """The common parts, cut at the bounds of both, and for each the index of its range in `second`."""
    # Ranges low[i]..high[i] (exclusive) of `second` touch first[i].
    low = np.searchsorted(second.end, first.start, side="right")
    high = np.maximum(np.searchsorted(second.start, first.end, side="left"), low)
    counts = high - low
    owner = np.repeat(np.arange(len(first)), counts)
    before = np.cumsum(counts) - counts
    index = np.arange(int(counts.sum())) - np.repeat(before - low, counts)
    start = np.maximum(first.start[owner], second.start[index])
    end = np.minimum(first.end[owner], second.end[index])
    return Ranges(start, end), index.astype(np.intp)


def subtract(ranges: Ranges, holes: Ranges) -> Ranges:
    """What is left of ranges outside of `holes`."""
    if len(holes) == 0 or len(ranges) == 0:
        return ranges
    zero, top = np.uint64(0), np.uint64((1 << 64) - 1)
    gaps_start = np.concatenate([[zero], holes.end])
    gaps_end = np.concatenate([holes.start, [top]])
    real = gaps_start < gaps_end
    return intersect(ranges, Ranges(gaps_start[real], gaps_end[real]))[0]


def union(first: Ranges, second: Ranges) -> Ranges:
    """All addresses of both."""
    start = np.concatenate([first.start, second.start])
    end = np.concatenate([first.end, second.end])
    order = np.argsort(start, kind="stable")
    return merge(Ranges(start[order], np.maximum.accumulate(end[order])))

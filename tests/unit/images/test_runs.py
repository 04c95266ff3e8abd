# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arithmetic on ranges against sets of integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transproc.images import runs
from transproc.images.runs import Ranges

SETS = st.sets(st.integers(0, 40))


def ranges(members: set[int]) -> Ranges:
    """A set as ranges of single numbers, so that operations meet adjoining ones."""
    first = [runs.from_pairs([(n, n + 1)]) for n in sorted(members)]
    return Ranges(
        np.concatenate([r.start for r in first] or [runs.from_pairs([]).start]),
        np.concatenate([r.end for r in first] or [runs.from_pairs([]).end]),
    )


def members(of: Ranges) -> set[int]:
    return {number for start, end in of for number in range(start, end)}


def is_sorted(of: Ranges) -> bool:
    flat = [bound for pair in of for bound in pair]
    return flat == sorted(flat) and all(start < end for start, end in of)


@given(SETS, SETS, st.booleans(), st.booleans())
def test_set_operations(first: set[int], second: set[int], merge_first: bool, merge_second: bool) -> None:
    one = runs.merge(ranges(first)) if merge_first else ranges(first)
    two = runs.merge(ranges(second)) if merge_second else ranges(second)
    common, owner = runs.intersect(one, two)
    assert members(common) == first & second
    for (start, end), index in zip(common, owner.tolist(), strict=True):
        assert two.start[index] <= start < end <= two.end[index]
    assert members(runs.subtract(one, two)) == first - second
    assert members(runs.union(one, two)) == first | second
    assert all(map(is_sorted, (common, runs.subtract(one, two), runs.union(one, two))))
    assert runs.union(one, two).size == len(first | second)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
def test_from_pairs(pairs: list[tuple[int, int]]) -> None:
    made = runs.from_pairs(pairs)
    assert members(made) == {number for start, end in pairs for number in range(start, end)}
    assert all(end < start for end, start in zip(made.end.tolist(), made.start.tolist()[1:], strict=False))


@given(SETS, st.integers(-5, 45), st.integers(-5, 45))
def test_clip(numbers: set[int], start: int, end: int) -> None:
    assert members(runs.clip(ranges(numbers), start, end)) == {n for n in numbers if start <= n < end}


def test_top_of_the_address_space() -> None:
    top = runs.from_pairs([(2**64 - 8192, 2**64 - 4096)])
    assert list(runs.subtract(top, runs.from_pairs([(0, 2**64 - 8000)]))) == [(2**64 - 8000, 2**64 - 4096)]
    assert list(runs.clip(top, 0, 2**64)) == list(top)

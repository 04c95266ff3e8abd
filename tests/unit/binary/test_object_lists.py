# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lists of stack objects: each function has one, however often a back end copied the site that carries it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from tests.writers.stackmaps import Record, block
from transproc.binary import build, sites, stackmap
from transproc.binary.compare import differing_objects
from transproc.binary.sites import Index
from transproc.errors import StackMapError

CONSTANT, DIRECT = 4, 2
LEADING = [(CONSTANT, 8, 0, 0)] * 3


def record(at: int, *offsets: int) -> Record:
    """A call without live values, and with a list of objects of 8 bytes at offsets from register 7."""
    objects = [row for offset in offsets for row in ((DIRECT, 8, 7, offset), (CONSTANT, 8, 0, 8))]
    return Record(2, at, [*LEADING, (CONSTANT, 8, 0, 0), (CONSTANT, 8, 0, len(offsets)), *objects])


def read(*records: Record) -> tuple[np.ndarray, np.ndarray]:
    maps = stackmap.parse(block([(0x1000, records)]))
    shape = stackmap.shape(maps)
    functions = np.zeros(1, sites.FUNCTION)
    tails = np.stack([shape.tail, shape.rest], axis=1)
    elf = SimpleNamespace(path=None)
    return functions, build._objects(elf, maps, functions, np.zeros(len(records), np.int64), tails)  # type: ignore[arg-type]


def test_copies_count_once() -> None:
    functions, objects = read(record(4, 16, 24), record(8, 16, 24))
    assert objects["offset"].tolist() == [16, 24]
    assert (functions["object"][0], functions["objects"][0]) == (0, 2)


def test_copies_that_differ() -> None:
    with pytest.raises(StackMapError, match="two lists of a function's stack objects differ"):
        read(record(4, 16, 24), record(8, 16, 32))


def test_lists_of_a_pair() -> None:
    """f1 lacks its list in the second binary; f2 does as well, but there no back end kept a site of it."""
    first, second = index([1, 2, 3], [0, 1, 2]), index([1, 0, 0], [0, 1])
    assert differing_objects(first, second) == ["f1"]
    assert differing_objects(first, first) == []


def index(objects: list[int], owners: list[int]) -> Index:
    """With functions f0, f1, … of so many objects, a site in each of the owners, and one in each function's resume entry."""
    functions, rows = np.zeros(len(objects), sites.FUNCTION), np.zeros(len(owners) + len(objects), sites.SITE)
    functions["objects"] = objects
    rows["function"] = [*owners, *range(len(objects))]
    rows["flags"][len(owners) :] = sites.SITE_IN_RESUME
    return cast(Index, SimpleNamespace(functions=functions, sites=rows, name=lambda number: f"f{number}"))

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.writers.stackmaps import Record, block
from transproc.binary import stackmap
from transproc.errors import StackMapError

TWO = block(
    [
        (0x1000, [Record(0x10, 4, [(4, 8, 0, 7), (3, 8, 6, -16)]), Record(0x13, 9, [])]),
        (0x2000, [Record(0x22, 5, [(5, 8, 0, 1)], live_outs=3)]),
    ],
    constants=[11, 1 << 40],
)


def test_records_of_several_objects_are_joined() -> None:
    maps = stackmap.parse(
        TWO + bytes(16) + block([(0x3000, [Record(0x30, 1, [(5, 8, 0, 0)])])], constants=[99])
    )
    assert maps.id.tolist() == [0x10, 0x13, 0x22, 0x30]
    assert maps.function.tolist() == [0x1000, 0x1000, 0x2000, 0x3000]
    assert maps.pc.tolist() == [0x1004, 0x1009, 0x2005, 0x3001]
    assert maps.count.tolist() == [2, 0, 1, 1]
    assert maps.locations[["kind", "size", "reg", "offset"]].tolist()[:2] == [(4, 8, 0, 7), (3, 8, 6, -16)]


def test_pooled_constants_count_from_their_own_object() -> None:
    maps = stackmap.parse(TWO + block([(0x3000, [Record(0x30, 1, [(5, 8, 0, 0)])])], constants=[99]))
    assert maps.constant_at(np.array([0, 2, 3])).tolist() == [7, 1 << 40, 99]


def test_small_constants_are_sign_extended() -> None:
    maps = stackmap.parse(block([(0x1000, [Record(0, 0, [(4, 8, 0, -1)])])]))
    assert maps.constant_at(np.array([0])).tolist() == [(1 << 64) - 1]


def test_a_register_where_a_constant_must_be_is_an_error() -> None:
    maps = stackmap.parse(TWO)
    with pytest.raises(StackMapError, match="expected a constant"):
        maps.constant_at(np.array([1]))


def test_an_empty_section_has_no_records() -> None:
    assert len(stackmap.parse(b"").id) == 0


def test_another_version_is_refused() -> None:
    with pytest.raises(StackMapError, match="version 3, found 2"):
        stackmap.parse(b"\x02" + TWO[1:])


@given(st.integers(0, len(TWO) - 1), st.integers(0, 255), st.integers(0, len(TWO)))
def test_damage_is_reported_and_never_crashes(at: int, byte: int, length: int) -> None:
    damaged = bytearray(TWO)
    damaged[at] = byte
    for data in (bytes(damaged), TWO[:length]):
        try:
            stackmap.parse(data)
        except StackMapError:
            continue

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the host reads of the conversation about pages, which comes from a node: it is not trusted."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc.cluster.pages import PAGE, REQUEST, Request, answered, request, whole
from transproc.cluster.transfer import rate
from transproc.errors import FormatError, TransprocError

START = 16 * PAGE


def answer(kind: int, start: int, end: int, data: bytes = b"", pid: int = 5) -> bytes:
    return struct.pack("<IIQQQQ", kind, pid, start, end, len(data), 0) + data


GOOD = answer(0, START, START + PAGE, b"a" * PAGE) + answer(1, START + PAGE, START + 3 * PAGE)


def test_pages_and_zeros() -> None:
    assert answered(GOOD, 5, START, START + 3 * PAGE) == b"a" * PAGE + bytes(2 * PAGE)


def test_a_request_is_cut_to_pieces() -> None:
    assert len(request(5, 0, 65 * PAGE)) == 2 * REQUEST.size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:-1],
        GOOD + b"x",
        answer(0, START, START + 3 * PAGE, b"a" * PAGE),
        answer(1, START, START + 4 * PAGE),
        answer(1, START, START + 3 * PAGE, pid=6),
        answer(1, START + PAGE, START + 3 * PAGE),
        answer(2, START, START + 3 * PAGE, bytes(16)),
    ],
)
def test_an_answer_that_is_none(data: bytes) -> None:
    with pytest.raises(FormatError):
        answered(data, 5, START, START + 3 * PAGE)


@given(st.binary(max_size=200))
def test_any_answer(data: bytes) -> None:
    with pytest.raises(FormatError):
        answered(data, 5, START, START + 3 * PAGE)


@pytest.mark.parametrize(
    ("text", "expected"), [("", None), ("500k", 500_000), ("1.5M", 1_500_000), ("1GB/s", 10**9)]
)
def test_rates(text: str, expected: int | None) -> None:
    assert rate(text) == expected


@pytest.mark.parametrize("text", ["fast", "-1M", "1", "0", "1T", "1e6"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(TransprocError, match="expected bytes per second"):
        rate(text)


def test_hashes_follow_what_is_held() -> None:
    held = REQUEST.pack(Request.HELD, 5, START, START + 3 * PAGE)
    asked = REQUEST.pack(Request.ROUND, 0, 1, 0)
    data = asked + held + bytes(48) + asked[:-1]
    assert [whole(data, at) for at in (0, 24, 96)] == [24, 72, 0]
    assert whole(data[:95], 24) == 0
    for start, end in ((START, START), (START, 0), (0, 1 << 63)):
        assert whole(REQUEST.pack(Request.HELD, 5, start, end), 0) == 24, "nothing that large is waited for"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processor times of jobs as nodes tell them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc.cluster.usage import parse


def test_processes_of_a_job_are_added_up() -> None:
    assert parse(b"a 100 50\nb.1 0 7\na 1 2\n") == {"a": 1.53, "b.1": 0.07}
    assert parse(b"") == {}


@pytest.mark.parametrize(
    "answer", [b"a", b"a -1 2", b"../a 1 2", b"a 1 2 3", b"a 1 " + b"9" * 30, b"\xff 1 2"]
)
def test_what_is_no_time_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError):
        parse(answer)


@given(st.binary(max_size=100))
def test_any_answer(data: bytes) -> None:
    try:
        found = parse(data)
    except ValueError:
        return
    assert all(seconds >= 0 for seconds in found.values())

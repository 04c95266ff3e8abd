# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Numbers as people read them."""

from __future__ import annotations

import pytest

from transproc.controller.web import text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.0123, "12 ms"),
        (0.0996, "0.10 s"),
        (0.35, "0.35 s"),
        (9.996, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (245, "4 min 05 s"),
        (3599.6, "1 h 00 min"),
        (11400, "3 h 10 min"),
        (2 * 86400 + 7200, "2 d 2 h"),
        (float("nan"), "?"),
        (float("inf"), "?"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172800, "2 d"),
        (float("nan"), "0 s"),
    ],
)
def test_age(seconds: float, words: str) -> None:
    assert text.age(seconds) == words


def test_moment() -> None:
    assert text.moment(0) == "1970-01-01T00:00:00Z"
    assert text.moment(1e300) == text.moment(float("nan")) == ""

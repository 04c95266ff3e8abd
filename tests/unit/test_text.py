# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes and counts as people read them."""

from __future__ import annotations

from transproc import text


def test_plural() -> None:
    assert (text.plural(1, "job"), text.plural(0, "job"), text.plural(12345, "job")) == (
        "1 job",
        "0 jobs",
        "12 345 jobs",
    )

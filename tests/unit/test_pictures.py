# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pictures of docs/benchmarks.md show what its tables say."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.benchmarks import pictures


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_is_that_of_its_table(name: str) -> None:
    text = pictures.DOCUMENT.read_text()
    assert f"images/{name})" in text
    assert (pictures.IMAGES / name).read_text() == pictures.PICTURES[name](text), (
        "python -m tests.benchmarks.pictures draws it anew"
    )


def test_bars_are_as_long_as_their_values() -> None:
    head = "| program | clang, glibc | transproc | ratio | quartiles | before |"
    rows = ["| a | 1 | 1 | 0.500 | 0.400 to 0.600 | – |", "| b<c | 1 | 2 | 2.000 | 1.900 to 2.500 | – |"]
    text = "\n".join(["", head, "|---|---|---|---|---|---|", *rows, "", "53 programs"])
    root = ElementTree.fromstring(pictures.foreign(text))
    bars = [float(one.get("width", "")) for one in root if one.tag.endswith("rect")][1:]
    assert bars[1] == pytest.approx(4 * bars[0], rel=0.01)
    colours = [one.get("fill") for one in root if one.tag.endswith("rect")][1:]
    assert colours == [pictures.BELOW, pictures.ABOVE]
    with pytest.raises(ValueError, match="not enough values"):
        pictures.foreign("no table")

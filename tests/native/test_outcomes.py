# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table of faults, of which parts are made anew."""

from __future__ import annotations

from tests.native.outcomes import DOCUMENT, Outcome, merged, report, rows_of

BEFORE = [Outcome("migrate", "criu: killed", "moved")] * 2 + [
    Outcome("plan", "host: full", "stayed, and said so")
]


def test_rows_are_replaced_by_those_that_were_struck_as_often() -> None:
    first = merged("", BEFORE, "aaaaaaa")
    assert rows_of(first) == {
        ("migrate", "criu: killed"): ("2", "moved 2", "aaaaaaa"),
        ("plan", "host: full"): ("1", "stayed, and said so 1", "aaaaaaa"),
    }
    once = [Outcome("migrate", "criu: killed", "lost"), Outcome("plan", "host: full", "moved")]
    second = merged(first, [*once, Outcome("migrate", "asked again", "moved")], "bbbbbbb")
    assert rows_of(second) == {
        ("migrate", "asked again"): ("1", "moved 1", "bbbbbbb"),
        ("migrate", "criu: killed"): ("2", "moved 2", "aaaaaaa"),
        ("plan", "host: full"): ("1", "moved 1", "bbbbbbb"),
    }
    assert second.startswith("4 faults, each row at the commit that it names, of aaaaaaa to bbbbbbb:\n")
    assert merged(second, [], "ccccccc") == second


def test_the_document_has_one() -> None:
    text = DOCUMENT.read_text()
    table = text[text.index("<!-- faults -->") : text.index("<!-- end of faults -->")]
    assert len(rows_of(table)) == table.count("\n| ") - 1
    assert "| migrate | criu: killed | 2 |" in report(BEFORE)

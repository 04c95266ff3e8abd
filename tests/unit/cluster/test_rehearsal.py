# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rehearsals: when to migrate, and what counts as a difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from transproc.cluster.job import Hop
from transproc.cluster.outcome import Outcome, read_tree, write_tree
from transproc.cluster.rehearsal import Plan, Verdict

PLAIN = Outcome("status 0", 1.0, {"stdout": b"one\ntwo\n", "work": None, "work/a": b"x", "work/l": "a"})


def changed(**files: bytes | str | None) -> Outcome:
    return Outcome(PLAIN.exit, 2.0, {**PLAIN.files, **{k.replace("_", "/"): v for k, v in files.items()}})


def test_equal() -> None:
    assert PLAIN.difference(changed()) == []


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (
            changed(stdout=b"one\ntwx\n"),
            "stdout: differs from byte 6 (line 2) on; 8 and 8 bytes\n  -two\n  +twx",
        ),
        (changed(stdout=b"one\n"), "stdout: differs from byte 4 (line 2) on; 8 and 4 bytes\n  -two"),
        (changed(work_b=b""), "work/b: only in the run with migrations"),
        (changed(work_l=b"a"), "work/l: of another kind"),
        (changed(work_l="b"), "work/l: of another kind"),
        (Outcome("signal 11", 1.0, PLAIN.files), "exit status: status 0 against signal 11"),
    ],
)
def test_differences(other: Outcome, text: str) -> None:
    assert PLAIN.difference(other) == [text]


def test_what_varies_is_not_compared() -> None:
    first, second = changed(stdout=b"sum 3 in 0.1 s\n"), changed(stdout=b"sum 3 in 12 s\n")
    wrong = changed(stdout=b"sum 4 in 12 s\n")
    pattern = "in [0-9.]+ s"
    assert first.difference(second) != []
    assert first.without(pattern).difference(second.without(pattern)) == []
    assert first.without(pattern).difference(wrong.without(pattern)) != []


def test_files_that_vary_are_not_compared() -> None:
    first, second = changed(work_a=b"at 10:00"), changed(work_a=b"at 11:00")
    assert first.difference(second) != []
    assert first.without("", "a*").difference(second.without("", "a*")) == []
    assert first.without("", "b*").difference(second.without("", "b*")) != []
    assert changed(stdout=b"x").without("", "*").difference(PLAIN.without("", "*")) != [], (
        "only files it wrote"
    )


def test_missing_file() -> None:
    other = changed()
    del other.files["work/a"]
    assert PLAIN.difference(other) == ["work/a: only in the run without migrations"]


def test_tree(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"1")
    (tmp_path / "l").symlink_to("nowhere")
    files = {"d": None, "d/f": b"1", "l": "nowhere"}
    assert read_tree(tmp_path) == files
    (tmp_path / "copy").mkdir()
    write_tree(files, tmp_path / "copy")
    assert read_tree(tmp_path / "copy") == files


def test_moments_are_those_of_the_seed() -> None:
    plan = Plan(hops=5, seed=7)
    assert plan.waits(10.0) == plan.waits(10.0)
    assert plan.waits(10.0) != Plan(hops=5, seed=8).waits(10.0)
    assert all(wait >= 0 for wait in plan.waits(10.0))
    assert sum(plan.waits(10.0)) < 10.0


def test_intervals() -> None:
    waits = Plan(hops=100, every=200).waits(1.0)
    assert len(waits) == 100
    assert all(0.1 <= wait <= 0.3 for wait in waits)


def test_sites() -> None:
    plan = Plan(hops=100, within=8, seed=3)
    assert plan.counts_sites
    assert plan.counts(1.0) == plan.counts(1.0)
    assert set(plan.counts(1.0)) == set(range(1, 9))
    assert set(plan.counts(0.25)) == {1, 2}
    assert set(plan.counts(0.01)) == {1}
    assert Plan(at=[3, 5]).counts(0.5) == [3, 5]
    assert not Plan().counts_sites


def test_verdict() -> None:
    verdict = Verdict(["prog"], 1, [Hop("a", "b", 0.0, 0.1)])
    assert verdict.passed
    assert not verdict.late
    verdict.missed, verdict.attempts = 1, 5
    assert not verdict.passed
    assert verdict.late == "1 migrations came too late, in 5 attempts: the program is too short"
    verdict.plain_exit = "signal 11"
    assert verdict.late.endswith("without any the program ends with signal 11")
    verdict.missed, verdict.differences = 0, ["stdout: only in the run with migrations"]
    assert not verdict.passed

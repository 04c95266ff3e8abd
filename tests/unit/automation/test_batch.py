# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Batches: what a file may say, and where what goes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from transproc.automation.batch import decide, model, report
from transproc.automation.batch.decide import Estimates, Running, Seat
from transproc.automation.batch.model import Entry, Goal
from transproc.automation.batch.runner import Report, Run, Stay
from transproc.automation.plans import reading
from transproc.automation.plans.reading import PlanError
from transproc.cluster.start import Program
from transproc.errors import FormatError
from transproc.paths import SOURCE

FAST, CHEAP = Seat("fast", 2, 3.6), Seat("cheap", 1, 0.36)
SEATS = [FAST, CHEAP]


def read(text: str) -> model.Batch:
    return model.read(reading.parse(Path("/p/night.toml"), text))


def test_all_that_is_wrong_with_a_file() -> None:
    text = """\
goal = "money"
nodes = { x86 = { slots = 0, prize = 1, price = -1 } }
[[program]]
arguments = "x"
repeat = 0
[[program]]
program = "none"
stdin = "missing"
seconds = { x86 = "1y" }
"""
    with pytest.raises(PlanError) as caught:
        read(text)
    assert [str(problem) for problem in caught.value.problems] == [
        "line 1: goal cannot be 'money' (expected time or cost)",
        "line 2: price cannot be -1, expected what an hour costs",
        "line 2: slots cannot be 0 (expected 1 to 1000)",
        "line 2: unknown key 'prize' (did you mean price?)",
        "line 3: program is missing",
        "line 4: arguments cannot be 'x', expected a list",
        "line 5: repeat cannot be 0 (expected 1 to 10000)",
        "line 8: stdin: there is no /p/missing",
        "line 9: x86: '1y' is no duration (write it as in 90s, 10m, 1h30m or 500ms)",
    ]


def test_a_move_takes_what_moves_took_or_some_starts() -> None:
    known = Estimates({})
    assert known.move == decide.MOVE_SECONDS
    known.starts += [1.0, 4.0, 9.0]
    assert known.move == decide.MOVE_TO_START * 4.0
    known.moves += [3.0]
    assert known.move == 3.0


def test_the_example_lacks_nothing_but_its_programs(tmp_path: Path) -> None:
    path = Path(shutil.copy(SOURCE / "examples/batches/mixed.toml", tmp_path))
    with pytest.raises(PlanError) as caught:
        model.read(reading.parse(path, path.read_text()))
    found = [problem.message for problem in caught.value.problems]
    assert found == [f"{tmp_path}/{name}: no such file" for name in ("primes", "nbody")]


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from([*model.TOP, "x"]),
        st.recursive(
            st.booleans() | st.integers(-2, 10**12) | st.text(max_size=5) | st.floats(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from([*model.PROGRAM, "slots", "price"]), inner, max_size=4)
            ),
            max_leaves=12,
        ),
    )
)
def test_whatever_is_in_a_file(data: dict[str, Any]) -> None:
    try:
        read(tomlkit.dumps(json.loads(json.dumps(data, default=str), parse_constant=float)))
    except FormatError:
        return


def estimates(**given: dict[str, float]) -> Estimates:
    return Estimates(given)


@pytest.mark.parametrize(("goal", "node"), [(Goal.TIME, "fast"), (Goal.COST, "cheap")])
def test_a_run_goes_where_it_is_done_sooner_or_cheaper(goal: Goal, node: str) -> None:
    known = estimates(p={"fast": 10.0, "cheap": 30.0})
    assert decide.place("p", {"fast": 1, "cheap": 1}, SEATS, known, goal) == node
    assert decide.place("p", {"fast": 0, "cheap": 1}, SEATS, known, goal) == "cheap"
    assert decide.place("p", {"fast": 0, "cheap": 0}, SEATS, known, goal) is None


def test_estimates() -> None:
    known = Estimates({"p": {"fast": 10.0}}, {"fast": "x86_64", "other": "x86_64", "cheap": "aarch64"})
    assert (known.of("p", "cheap"), known.of("p", "other"), known.of("q", "fast")) == (None, 10.0, None)
    known.saw("q", "fast", 2.0)
    known.saw("q", "cheap", 6.0)
    assert known.of("p", "cheap") == 30.0  # q is three times as slow there
    known.saw("p", "cheap", 20.0)
    assert known.of("p", "cheap") == 20.0


def test_moves_that_are_worth_it() -> None:
    known = estimates(p={"fast": 10.0, "cheap": 40.0}, unknown={"cheap": 5.0})
    running = [
        Running(1, "p", "cheap", 0.5),  # 20 s here, 5 s there
        Running(2, "p", "cheap", 0.0),  # 40 s here, 10 s there
        Running(3, "p", "cheap", 0.95),  # 2 s here: not worth a move
        Running(4, "unknown", "cheap", 0.0),
    ]
    found = decide.moves(running, {"fast": 2}, SEATS, known, Goal.TIME)
    assert [(one.number, one.target, one.gain) for one in found] == [(2, "fast", 28.0), (1, "fast", 13.0)]
    assert [one.number for one in decide.moves(running, {"fast": 1}, SEATS, known, Goal.TIME)] == [2]
    assert decide.moves(running, {"fast": 0}, SEATS, known, Goal.TIME) == []


def test_moves_that_are_cheaper() -> None:
    """A slot of the fast node costs five times as much in a second; it is three times as fast."""
    known = estimates(p={"fast": 100.0, "cheap": 300.0})
    found = decide.moves([Running(1, "p", "fast", 0.5)], {"cheap": 1}, SEATS, known, Goal.COST)
    assert [(one.number, one.target) for one in found] == [(1, "cheap")]
    assert found[0].gain == pytest.approx(50 * 0.0005 - (150 * 0.0001 + 2 * 0.0006))
    assert decide.moves([Running(1, "p", "fast", 0.5)], {"cheap": 1}, SEATS, known, Goal.TIME) == []


def test_what_is_told() -> None:
    entry = Entry("p", 1, Program(["p"]), 2, {})
    runs = [
        Run(1, entry, "b-p-1", [Stay("fast", 0.0, 4.0), Stay("cheap", 4.0, 10.0)], "status 0", "x", moves=1),
        Run(2, entry, "b-p-2", [Stay("fast", 0.0, 10.0)], "signal 9", "y"),
    ]
    one = Report(True, SEATS, runs, seconds=10.0)
    assert (one.per_hour, one.moves) == (360.0, 1)
    assert one.cost == pytest.approx(14 * 0.0005 + 6 * 0.0001)
    assert report.summary([one]) == [("with", "1/2", "10.0", "360", "0.00760", 1)]
    assert report.programs(one) == [("p", "cheap", 1, "10.00", 1)]
    picture = report.svg("b <1>", [one])
    assert picture.count("moved here") == 1 and "b &lt;1&gt;" in picture
    assert report.differing([one, Report(False, SEATS, runs)]) == []


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    for length in (254, 256, 2048):
        text = f'[[program]]\nprogram = "{"p" * length}"'
        with pytest.raises(PlanError, match=r"too long|no name that a file can have"):
            model.read(reading.parse(tmp_path / "night.toml", text))

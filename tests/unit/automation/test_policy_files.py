# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Policies as files: what is right is read, and all that is wrong is said at once, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc import paths
from transproc.automation.policies import Limits, Policy, parse, read
from transproc.automation.policies.read import duration
from transproc.automation.policies.rules import KINDS, Balance, Evacuate, Price
from transproc.errors import FormatError, TransprocError

EXAMPLES = sorted((paths.SOURCE / "examples/policies").glob("*.toml"))

BAD = """\
foo = 1
[limits]
at_once = 0
cool_down = "ten"
[[rule]]
kind = "keep"
[[rule]]
kind = "blance"
[[rule]]
kind = "price"
cheap = "a"
fast = "a"
idle = 2
[[rule]]
kind = "balance"
jobs = ["A b"]
speed = 4
[[rule]]
jobs = []
"""


def test_everything_is_read() -> None:
    found = parse(
        '[limits]\nat_once = 3\nan_hour = 7\ncool_down = "1.5h"\nsettle = 2\n'
        '[[rule]]\nkind = "evacuate"\nnodes = ["a", "b"]\njobs = "web-*"\n'
        '[[rule]]\nkind = "balance"\ndifference = 2\n'
        '[[rule]]\nkind = "price"\ncheap = "x"\nfast = "y"\nidle = 0.1\nbusy = 0.2\n'
    )
    assert found.limits == Limits(3, 7, 5400.0, 2.0)
    assert found.rules == (
        Evacuate(("web-*",), frozenset({"a", "b"})),
        Balance(difference=2.0),
        Price(cheap="x", fast="y", idle=0.1, busy=0.2),
    )


def test_all_mistakes_are_said_with_their_lines() -> None:
    with pytest.raises(FormatError) as raised:
        parse(BAD)
    assert raised.value.message.split("\n  ") == [
        "10 things are wrong:",
        "line 1: unknown 'foo', expected [limits] and [[rule]]",
        "line 3: at_once: 0, expected a number from 1 to 100",
        "line 4: cool_down: 'ten' is no duration",
        "line 5: a rule of kind keep needs nodes",
        "line 8: kind cannot be 'blance', expected one of evacuate, keep, balance, price, spread",
        "line 12: cheap and fast are the same label",
        "line 13: idle is not below busy: jobs would go to and fro",
        "line 16: jobs: 'A b' matches no job's name",
        "line 17: unknown 'speed' in a rule of kind balance, expected jobs, nodes, difference",
        "line 18: a rule without a kind, expected one of evacuate, keep, balance, price, spread",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rule"),
        ("[", "not valid TOML"),
        ("rule = 1", "expected tables"),
        ('[rule]\nkind = "balance"', "expected tables"),
        ("limits = 1", "limits cannot be that"),
        ('rule = [{kind = "balance", difference = nan}]', "difference: nan"),
        ('rule = [{kind = "keep", nodes = "Not a label"}]', "label name"),
        ('rule = [{kind = "keep", nodes = []}]', "nodes: "),
        ('rule = [{kind = ["balance"]}]', "kind cannot be"),
        ('[limits]\nat_once = true\n[[rule]]\nkind = "balance"', "at_once: True"),
        ('[[rule]]\nkind = "balance"\n' * 201, "201 rules"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse(text)


def test_a_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read(tmp_path / "none")
    path = tmp_path / "large"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(FormatError, match="more than"):
        read(path)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path: Path) -> None:
    assert read(path).rules


def test_there_is_an_example_of_each_kind() -> None:
    assert {rule.kind for path in EXAMPLES for rule in read(path).rules} == set(KINDS)
    assert {path.stem for path in EXAMPLES} == set(KINDS)


def test_durations() -> None:
    assert [duration(text) for text in ("90s", "1.5m", "2h", "1d", 7)] == [90, 90, 7200, 86400, 7]
    for wrong in ("", "s", "1 x", "-1s", -1, True, None, float("inf"), "1e9h"):
        with pytest.raises(TransprocError):
            duration(wrong)


@given(st.text() | st.lists(st.sampled_from(BAD.splitlines())).map("\n".join))
def test_any_text_is_a_policy_or_an_error(text: str) -> None:
    try:
        found = parse(text)
    except FormatError:
        return
    assert isinstance(found, Policy)

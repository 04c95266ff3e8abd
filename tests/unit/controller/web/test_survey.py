# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of nodes that answer at once, late, or not any more."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import pytest

from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.controller.web import survey
from transproc.controller.web.survey import Survey
from transproc.errors import NodeError

FACTS = Facts("aarch64", 4, 2.0, 8 << 30, 6 << 30, 1 << 40, "6.12", "4.2", 4096, 100.0, 0.0, 0.01, 1 << 22)


class Nodes:
    """As a `Host`, of which nodes are asked: what one answers, and whether it is held back."""

    def __init__(self) -> None:
        self.answers: dict[str, Facts | NodeError] = {"quick": FACTS, "slow": FACTS}
        self.held = threading.Event()
        self.held.set()

    def names(self) -> list[str]:
        return list(self.answers)

    def description(self, name: str) -> Description:
        return Description()

    def facts(self, name: str) -> Facts:
        if name == "slow":
            assert self.held.wait(20)
        answer = self.answers[name]
        if isinstance(answer, NodeError):
            raise answer
        return answer


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def asked(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Survey]:
    monkeypatch.setattr(survey, "EVERY", 0.0)
    made = Survey(nodes, lambda action: threading.Thread(target=action).start())  # type: ignore[arg-type]
    yield made
    nodes.held.set()


def test_a_late_answer_counts(nodes: Nodes, asked: Survey) -> None:
    """Once it was thrown away, and a slow node was never seen."""
    nodes.held.clear()
    asked.ask(0.05)
    assert set(asked.known().facts) == {"quick"} and asked.known().isas == {"quick": "aarch64"}
    before = asked.version
    nodes.held.set()
    asked.ask(20)
    assert set(asked.known().facts) == {"quick", "slow"}
    assert asked.version > before


def test_everybody_hears_of_a_change(nodes: Nodes, asked: Survey) -> None:
    asked.ask(20)
    before = asked.version
    asked.ask(20)
    assert asked.version == before
    nodes.answers["quick"] = dataclasses.replace(FACTS, load=3.0)
    asked.ask(20)
    assert asked.version == before + 1


def test_a_node_that_goes_is_not_gone_at_once(
    nodes: Nodes, asked: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "DOWN", 0.0)
    nodes.answers["new"] = NodeError("new", "connection refused")
    asked.ask(20)
    assert isinstance(asked.known().facts["new"], NodeError)
    nodes.answers["quick"] = NodeError("quick", "does not answer")
    asked.ask(20)
    assert asked.known().facts["quick"] == FACTS
    monkeypatch.setattr(survey, "FORGET", 0.0)
    asked.ask(20)
    assert isinstance(asked.known().facts["quick"], NodeError)

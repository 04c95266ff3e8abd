# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which node a plan means by each name that it uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from math import inf

from transproc.automation.plans.model import Kind, NodeChoice, Plan, Step, Verb, conditions_of, steps_of
from transproc.automation.plans.reading import Problem
from transproc.cluster.beside import beside
from transproc.cluster.facts import Facts
from transproc.cluster.node import LOCAL, SshNode
from transproc.errors import TransprocError
from transproc.host import Host
from transproc.isa import ALL

SURVEY_SECONDS = 60.0
"""For all nodes to say what they are; one that is emulated, on a busy machine, takes long."""
ISAS = {isa.name for isa in ALL}


def is_isa(plan: Plan, step: Step) -> bool:
    """Whether a transformation's target is an ISA, and no node that the plan calls so."""
    return step.verb is Verb.TRANSFORM and step.on in ISAS and step.on not in plan.nodes


def used(plan: Plan) -> Iterator[tuple[int, str]]:
    """The names that a plan uses for nodes, with their lines; the ISA of a transformation is none."""
    for step in steps_of(plan.main):
        if step.on is not None and not is_isa(plan, step):
            yield step.line, step.on
        if step.host is not None:
            yield step.line, step.host
    for line, condition in conditions_of(plan.main):
        if condition.kind in (Kind.LOAD, Kind.MEMORY):
            yield line, condition.subject


def by_label(choice: NodeChoice) -> bool:
    """Whether a node is chosen by what its owner says of it, and not by its name or address."""
    return choice.node is None and choice.address is None and choice.label is not None


def now(host: Host, choice: NodeChoice, before: str | None) -> str:
    """The node that a choice by ISA and label means at this moment: the one of before as long as it fits, else the one with the
    least load of those that do. Raises `TransprocError` if none does.
    """

    def fits(name: str) -> bool:
        isa = host.node(name).isa
        return choice.isa in (None, isa) and choice.label in (
            None,
            *host.description(name).all_labels(name, isa),
        )

    known = list(host.names())
    with suppress(TransprocError):
        if before in known and fits(before):
            return before
    answers = beside({name: partial(fits, name) for name in known if name != LOCAL}, SURVEY_SECONDS)
    fitting = [name for name, answer in answers.items() if answer is True]
    loads = host.survey(fitting)
    busy = {name: facts.busy for name, facts in loads.items() if isinstance(facts, Facts)}
    if not fitting:
        what = " ".join(word for word in (choice.isa, choice.label and f"with label {choice.label}") if word)
        raise TransprocError(
            f"{choice.name}: no node is {what} any more", hint="'transproc nodes list' shows them"
        )
    return min(fitting, key=lambda name: (busy.get(name, inf), name))


class Chooser:
    """`mapping`: names of the plan and nodes, as the user says at the command line; it comes first."""

    def __init__(self, host: Host, mapping: Mapping[str, str]) -> None:
        self._host = host
        self._mapping = mapping
        self.problems: list[Problem] = []

    def choose(self, plan: Plan) -> dict[str, str]:
        """The node of each name that is used; what cannot be decided becomes a problem."""
        found: dict[str, str] = {}
        names: dict[str, int] = {}
        for line, name in used(plan):
            names.setdefault(name, line)
        for name in self._mapping.keys() - names.keys():
            self._wrong(
                1, f"--map {name}: the plan names no such node", f"it names {', '.join(names) or 'none'}"
            )
        for name, line in names.items():
            choice = plan.nodes.get(name, NodeChoice(name, line, node=name))
            if node := self._find(choice):
                found[name] = node
        return found

    def isa(self, node: str) -> str:
        """Of a node; raises `NodeError` if it does not answer."""
        return self._host.node(node).isa

    def _find(self, choice: NodeChoice) -> str | None:
        known = list(self._host.names())
        if named := self._mapping.get(choice.name) or choice.node:
            if named in known:
                return named
            self._wrong(
                choice.line,
                f"there is no node {named}",
                f"there are {', '.join(sorted(known))}; --map {choice.name}=NODE names another one",
            )
            return None
        if choice.address is not None and (node := self._with_address(choice.address)):
            return node
        return self._fitting(choice)

    def _with_address(self, address: str) -> str | None:
        for name in self._host.names():
            node = self._host.node(name)
            if isinstance(node, SshNode) and node.address.host == address:
                return name
        return None

    def _fitting(self, choice: NodeChoice) -> str | None:
        """The only node of an ISA and a label; this machine only if there is no other one."""
        fitting = []
        for name, isa in self._isas.items():
            labels = self._host.description(name).all_labels(name, isa)
            if choice.isa in (None, isa) and choice.label in (None, *labels):
                fitting.append(name)
        silent = sorted(set(self._host.names()) - self._isas.keys())
        elsewhere = [name for name in fitting if name != LOCAL]
        fitting = elsewhere or ([] if silent else fitting)  # one that does not answer may be what is meant
        if len(fitting) == 1:
            return fitting[0]
        what = " ".join(word for word in (choice.isa, choice.label and f"with label {choice.label}") if word)
        many = f"several nodes are {what}: {', '.join(fitting)}"
        self._wrong(
            choice.line,
            f"{choice.name}: " + (many if fitting else f"no node is {what}{self._why(silent)}"),
            f"--map {choice.name}=NODE says which one",
        )
        return None

    @cached_property
    def _answers(self) -> dict[str, str | TransprocError]:
        """The ISA of each node, or why it does not say it."""
        return beside({name: partial(self.isa, name) for name in self._host.names()}, SURVEY_SECONDS)

    @property
    def _isas(self) -> dict[str, str]:
        return {name: isa for name, isa in self._answers.items() if not isinstance(isa, TransprocError)}

    def _why(self, silent: list[str]) -> str:
        """Why nodes do not answer."""
        words = []
        for name in silent:
            answer = self._answers.get(name)
            words.append(
                answer.message if isinstance(answer, TransprocError) else f"node {name}: no answer yet"
            )
        return f" ({'; '.join(words)})" if words else ""

    def _wrong(self, line: int, message: str, hint: str) -> None:
        self.problems.append(Problem(line, message, hint))

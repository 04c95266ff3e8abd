# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What of a plan cannot be carried out, as far as that can be known before: nothing is touched.

The steps are followed in order, with the state in which each leaves its job; a repeated block twice, since its second round may
begin in another state than its first. In parallel branches a job belongs to one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from transproc.automation.plans.model import (
    Block,
    Item,
    Kind,
    Parallel,
    Plan,
    Repeat,
    Step,
    Verb,
    conditions_of,
    steps_of,
)
from transproc.automation.plans.nodes import by_label, is_isa
from transproc.automation.plans.reading import Problem
from transproc.cluster.job import State

EXPECTED: dict[Verb, tuple[State, ...]] = {
    Verb.PAUSE: (State.RUNNING, State.PAUSED),
    Verb.DUMP: (State.RUNNING, State.PAUSED),
    Verb.TRANSFORM: (State.DUMPED, State.TRANSFORMED),
    Verb.SHIP: (State.TRANSFORMED,),
    Verb.RESTORE: (State.DUMPED, State.TRANSFORMED, State.SHIPPED),
    Verb.RESUME: (State.PAUSED, State.DUMPED, State.TRANSFORMED, State.SHIPPED, State.RESTORED),
    Verb.MIGRATE: (State.RUNNING, State.PAUSED),
    Verb.CHECKPOINT: (State.RUNNING, State.PAUSED),
    Verb.WAIT: (State.RUNNING,),
}
"""States in which a job may be for a step; other steps do not ask. `restore` of a job that is merely dumped lets it go on where
it is."""
_BEFORE = {
    State.DUMPED: "has to be dumped first",
    State.TRANSFORMED: "has to be transformed first",
    State.PAUSED: "has to be stopped first",
    State.RUNNING: "has to run",
}


@dataclass(frozen=True)
class Standing:
    """Where a job stands: `node` and `target` as names of nodes; a `state` of None is not known."""

    state: State | None = None
    node: str | None = None
    target: str | None = None
    isa: str | None = None


class Follower:
    """Goes through a plan; `nodes`: what its names mean, as far as known; `isas`: of nodes, as far as known."""

    def __init__(self, plan: Plan, nodes: Mapping[str, str], isas: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._plan = plan
        self._nodes = nodes
        self._isas = isas
        self._known: dict[str, Standing] = {}

    def follow(self) -> None:
        """Notes what is wrong."""
        for name, program in self._plan.jobs.items():
            if program.path is None:
                self._known[name] = Standing()  # what it does now is seen when the plan is carried out
        self._block(self._plan.main)

    def _block(self, block: Block) -> None:
        for item in block:
            self._item(item)

    def _item(self, item: Item) -> None:
        if isinstance(item, Step):
            before = dict(self._known)
            self._step(item)
            if item.gate.skip and item.job:
                self._known[item.job] = _either(before.get(item.job), self._known.get(item.job))
        elif isinstance(item, Repeat):
            self._block(item.body)
            if item.times is None or item.times > 1:
                self._block(item.body)
        else:
            self._parallel(item)

    def _parallel(self, item: Parallel) -> None:
        owners: dict[str, int] = {}
        for number, branch in enumerate(item.branches):
            for line, job in _worked_on(branch):
                if owners.setdefault(job, number) != number:
                    self.problems.append(Problem(line, f"{job} is in two branches at the same time"))
            self._block(branch)

    def _step(self, step: Step) -> None:
        job = step.job
        if step.verb is Verb.COMMAND or job is None:
            return
        standing = self._known.get(job)
        on = self._nodes.get(step.on or "")
        if step.verb is Verb.RUN:
            self._known[job] = Standing(State.PAUSED if step.at else State.RUNNING, on)
            return
        if standing is None:
            self._wrong(
                step, f"{step.verb}: {job} has not been started", "a step before this one has to run it"
            )
            self._known[job] = Standing()
            return
        self._host(step, standing)
        expected = EXPECTED.get(step.verb)
        if expected and standing.state and standing.state not in expected:
            ought = _BEFORE.get(expected[0], "")
            self._wrong(step, f"{step.verb}: {job} is {standing.state} then, and {ought}")
            standing = Standing()
        if step.verb is Verb.PAUSE and standing.state is State.PAUSED and not step.at:
            self._wrong(step, f"pause: {job} is paused then")
        self._known[job] = self._after(step, standing, on)

    def _host(self, step: Step, standing: Standing) -> None:
        """The file says on which host the job is expected."""
        host = self._nodes.get(step.host or "")
        if host and standing.node and host != standing.node:
            self._wrong(
                step, f"{step.verb}: {step.job} is on {self._called(standing.node)} then, not on {step.host}"
            )

    def _after(self, step: Step, standing: Standing, on: str | None) -> Standing:
        verb = step.verb
        if verb in (Verb.PAUSE, Verb.DUMP):
            return replace(standing, state=State.PAUSED if verb is Verb.PAUSE else State.DUMPED)
        if verb is Verb.TRANSFORM:
            isa = step.on if is_isa(self._plan, step) else self._isas.get(on or "")
            return replace(standing, state=State.TRANSFORMED, isa=isa)
        if verb is Verb.SHIP:
            self._elsewhere(step, standing, on)
            return replace(standing, state=State.SHIPPED, target=on)
        if verb is Verb.RESTORE:
            return self._restored(step, standing, on)
        if verb is Verb.RESUME:
            there = standing.target if standing.state is State.RESTORED else None
            return Standing(State.RUNNING, there or standing.node)
        if verb is Verb.MIGRATE:
            self._elsewhere(step, standing, on)
            return Standing(State.PAUSED if step.stopped else State.RUNNING, on)
        if verb is Verb.CHECKPOINT and not step.end:
            return standing
        return Standing(State.EXITED, standing.node)

    def _restored(self, step: Step, standing: Standing, on: str | None) -> Standing:
        here = on is not None and on == standing.node
        if standing.state is State.DUMPED and not here and standing.node and on:
            self._wrong(step, f"restore: {step.job} has to be transformed for {step.on} first")
        if standing.state in (State.TRANSFORMED, State.SHIPPED):
            self._elsewhere(step, standing, on)
            isa = self._isas.get(on or "")
            if isa and standing.isa and isa != standing.isa:
                self._wrong(step, f"restore: the image is for {standing.isa} then, and {step.on} is {isa}")
        if standing.target and on and standing.target != on:
            self._wrong(
                step, f"restore: {step.job} was sent to {self._called(standing.target)}, not to {step.on}"
            )
        if step.stopped:
            return replace(standing, state=State.RESTORED, target=on)
        return Standing(State.PAUSED if step.at else State.RUNNING, on)

    def _elsewhere(self, step: Step, standing: Standing, on: str | None) -> None:
        choice = self._plan.nodes.get(step.on or "")
        if choice is not None and by_label(choice):
            return  # another one may have that label then
        if on and on == standing.node:
            self._wrong(step, f"{step.verb}: {step.job} is on {step.on} then")

    def _called(self, node: str) -> str:
        """A node by the plan's name for it."""
        return next((name for name, found in self._nodes.items() if found == node), node)

    def _wrong(self, step: Step, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(step.line, f"step {step.name}: {message}", hint))


def _worked_on(block: Block) -> Iterator[tuple[int, str]]:
    """Jobs that a block stops or moves, with lines."""
    for step in steps_of(block):
        if step.job and step.verb is not Verb.COMMAND:
            yield step.line, step.job
    for line, condition in conditions_of(block):
        if condition.kind is Kind.ENTERS:
            yield line, condition.subject


def _either(one: Standing | None, other: Standing | None) -> Standing:
    """After a step that may have been left out."""
    if one == other and one is not None:
        return one
    nodes = {standing.node for standing in (one, other) if standing}
    return Standing(None, nodes.pop() if len(nodes) == 1 else None)


def files(plan: Plan) -> list[Problem]:
    """Files that a plan names and that are not there."""
    found = []
    for program in plan.jobs.values():
        for path, what in ((program.stdin, "stdin"), (program.files, "files")):
            if path is not None and not (path.is_dir() if what == "files" else path.is_file()):
                found.append(
                    Problem(program.line, f"{what} of {program.name}: there is no {_kind(what)} {path}")
                )
    return found


def _kind(what: str) -> str:
    return "directory" if what == "files" else "file"


def jobs(plan: Plan) -> list[Problem]:
    """Names of jobs that a plan uses and does not describe."""
    found = []
    named = [(step.line, step.job) for step in steps_of(plan.main) if step.job]
    kinds = (Kind.ENTERS, Kind.PRINTS, Kind.ENDED)
    named += [(line, one.subject) for line, one in conditions_of(plan.main) if one.kind in kinds]
    for line, name in dict.fromkeys(named):
        if name not in plan.jobs:
            found.append(Problem(line, f"there is no job {name}", f"[jobs.{name}] describes it"))
    return found


def stops(plan: Plan) -> dict[str, list[tuple[int, str, str | None]]]:
    """For each job, where the plan wants to stop it: line, function or address, and the plan's name of the node if known."""
    found: dict[str, list[tuple[int, str, str | None]]] = {}
    for step in steps_of(plan.main):
        if step.job and step.at:
            found.setdefault(step.job, []).append((step.line, step.at, step.on or step.host))
    for line, condition in conditions_of(plan.main):
        if condition.kind is Kind.ENTERS:
            found.setdefault(condition.subject, []).append((line, condition.what, None))
    return found


def address(text: str) -> str:
    """An address as `address_of` wants it; the first implementation's files may leave 0x out."""
    bare = text.removeprefix("0x").removeprefix("0X")
    try:
        return f"0x{int(bare, 16):x}" if text[:1].isdigit() else text
    except ValueError:
        return text


def missing_binaries(pair: tuple[tuple[str, Path], ...]) -> list[Path]:
    """Of those that a plan names itself."""
    return [path for _, path in pair if not path.is_file()]

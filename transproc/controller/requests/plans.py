# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Requests by which plans are carried out that are on the host that manages jobs: as files, or in its log.

A plan may execute commands on nodes: it is for admins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from transproc.automation.plans import planning, records, replay
from transproc.automation.plans import resume as resuming
from transproc.automation.plans.executor import Outcome
from transproc.automation.plans.records import PlanRecord, Result
from transproc.cluster.operations import Context
from transproc.cluster.store import JobStore
from transproc.controller.requests.base import Meaning, Request
from transproc.controller.tokens import Role
from transproc.errors import MissingError
from transproc.host import Host

Mapped = Annotated[Mapping[str, str], Meaning("Names of nodes in the plan, and nodes.", longest=1000)]
Which = Annotated[str, Meaning("A plan's number, or its name: its last run.", longest=100)]


@dataclass(frozen=True)
class RunPlan(Request):
    """Checks a plan that is a file on the controller's host, and carries it out. Called off, it ends after the step under way.

    Returns its number in the log, its result, and what became of its jobs.
    """

    kind: ClassVar[str] = "run-plan"
    path: ClassVar[str] = "/plans"
    role: ClassVar[Role] = Role.ADMIN
    file: Annotated[str, Meaning("A plan, or the directory of one.")]
    mapping: Mapped = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be a path."""
        if "\0" in self.file:
            raise ValueError("a path has a zero byte")

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        checked = planning.examine(Path(self.file), host, self.mapping)
        for problem in checked.problems:
            if problem.note:
                context.events.note(f"{checked.plan.path}: {problem}")
        return told(context, *planning.carry_out(checked, host, context))


@dataclass(frozen=True)
class ReplayPlan(Request):
    """Does once more what a plan in the log did, at the times at which it did it. Returns what `run-plan` does."""

    kind: ClassVar[str] = "replay-plan"
    path: ClassVar[str] = "/plans/replay"
    role: ClassVar[Role] = Role.ADMIN
    plan: Which
    mapping: Mapped = field(default_factory=dict)

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        record = latest(context.store, self.plan)
        plan = replay.plan_of(record, records.steps(context.store, record.number))
        checked = planning.checked(plan, [], host, {**record.mapping(plan), **self.mapping})
        return told(context, *planning.carry_out(checked, host, context))


@dataclass(frozen=True)
class ResumePlan(Request):
    """Goes on with a plan in the log that was cut off, called off, or has failed. Returns what `run-plan` does."""

    kind: ClassVar[str] = "resume-plan"
    path: ClassVar[str] = "/plans/resume"
    role: ClassVar[Role] = Role.ADMIN
    plan: Which
    mapping: Mapped = field(default_factory=dict)

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        record = latest(context.store, self.plan)
        checked = resuming.prepared(record, host, self.mapping)
        return told(context, record.number, resuming.resume(record, checked, host, context))


def latest(store: JobStore, name: str) -> PlanRecord:
    """The last one of a name, or the one of a number. Raises `MissingError`."""
    found = records.plans(store, name)
    if not found:
        raise MissingError(f"plan {name}: was never carried out", hint="'transproc plan log' lists them")
    return found[0]


def told(context: Context, number: int, outcome: Outcome) -> dict[str, Any]:
    """What came of a plan. Raises what it failed with, KeyboardInterrupt if it was called off; its jobs are noted then."""
    if outcome.result is not Result.DONE:
        for line in outcome.jobs.values():
            context.events.note(line)
    if (error := outcome.error) is not None:
        error.hint = (
            error.hint
            or f"'transproc plan log {number}' shows what was done, 'transproc plan resume {number}' goes on"
        )
        raise error
    if outcome.result is not Result.DONE:
        raise KeyboardInterrupt
    return {
        "plan": number,
        "result": outcome.result,
        "steps": outcome.steps,
        "jobs": outcome.jobs,
        "error": None,
    }

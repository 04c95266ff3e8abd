# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans and batches that a controller carries out. What they say of nodes is what any job may ask for, but for commands, which
may be anything: those are for admins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from transproc.automation import parcel
from transproc.automation.plans import planning, records, replay
from transproc.automation.plans import resume as resuming
from transproc.automation.plans.executor import Outcome
from transproc.automation.plans.model import Plan, Verb, steps_of
from transproc.automation.plans.reading import load
from transproc.automation.plans.records import PlanRecord, Result
from transproc.cluster.operations import Context
from transproc.cluster.store import JobStore
from transproc.controller.requests.base import Desk, Meaning, Request
from transproc.controller.tokens import Role
from transproc.errors import MissingError, TransprocError
from transproc.host import Host

Mapped = Annotated[Mapping[str, str], Meaning("Names of nodes in the plan, and nodes.", longest=1000)]
Which = Annotated[str, Meaning("A plan's number, or its name: its last run.", longest=100)]
User = Annotated[
    str | None,
    Meaning("Whom jobs run as of which the file says nothing; who is no admin may name himself.", longest=32),
]
Starter = Annotated[str | None, Meaning("The same, where the node knows that name.", longest=32)]


@dataclass(frozen=True)
class Carried(Request):
    """What starts and moves jobs for whoever asks for it."""

    then: ClassVar[str] = "it ends after the step under way"

    def _for(self, desk: Desk) -> dict[str, Any]:
        """Whom its jobs run as. Raises `TransprocError` for somebody else."""
        user = getattr(self, "user", None)
        if desk.role.includes(Role.ADMIN):
            return {"user": user, "starter": None}
        if user not in (None, desk.who):
            raise TransprocError(f"token {desk.who} may not start programs as user {user}")
        return {"user": user or desk.job_user, "starter": desk.who}


@dataclass(frozen=True)
class Sent(Carried):
    """A file that came with all that it names (the `files` of an upload), or, for an admin, one of the controller's host."""

    file: Annotated[str, Meaning("The file; with an upload its name there.")]
    upload: Annotated[str | None, Meaning("The upload that it came with.", longest=40)] = None
    user: User = None
    starter: Starter = None

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be a path."""
        if "\0" in self.file:
            raise ValueError("a path has a zero byte")

    def admitted(self, desk: Desk) -> Request:
        """What came is kept; what is not for this role is refused."""
        if self.upload is None:
            if not desk.role.includes(Role.ADMIN):
                raise TransprocError(
                    "an admin only may name a file of the controller's host", hint="send it as an upload"
                )
            return dataclasses.replace(self, **self._for(desk))
        if "/" in self.file or self.file in ("", ".", ".."):
            raise TransprocError(f"{self.file!r}: expected the file's name alone")
        words = self._for(desk)
        place = parcel.keep(desk.store.directory, desk.upload(self.upload) / parcel.TOP)
        file = place / self.file
        try:
            parcel.expect_plain(place, file)
            self._look(file, desk)
        except BaseException:
            parcel.forget(desk.store.directory, file)
            raise
        return dataclasses.replace(self, file=str(file), **words)

    def _look(self, file: Path, desk: Desk) -> None:
        """Raises `TransprocError` for a file that may not be carried out."""
        raise NotImplementedError


@dataclass(frozen=True)
class RunPlan(Sent):
    """Checks a plan and carries it out. Called off, it ends after the step under way.

    Returns its number in the log, its result, and what became of its jobs. A plan with commands is for admins.
    """

    kind: ClassVar[str] = "run-plan"
    path: ClassVar[str] = "/plans"
    mapping: Mapped = field(default_factory=dict)

    def _look(self, file: Path, desk: Desk) -> None:
        plan = planning.read(load(file))[0]
        for job in plan.jobs.values():
            for binary in [*(path for _, path in job.pair), *(parcel.pair(job.path) if job.path else [])]:
                parcel.expect_plain(file.parent, binary)
        expect_allowed(plan, desk)

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        context = dataclasses.replace(context, user=self.user, starter=self.starter)
        file = Path(self.file)
        try:
            checked = planning.examine(file, host, self.mapping)
            checked.expect_good()
        except TransprocError:  # else the log holds it
            parcel.forget(context.store.directory, file)
            raise
        for problem in checked.problems:
            if problem.note:
                context.events.note(f"{checked.plan.path.name}: {problem}")
        return told(context, *planning.carry_out(checked, host, context))


@dataclass(frozen=True)
class _Again(Carried):
    """A plan in the log."""

    plan: Which
    mapping: Mapped = field(default_factory=dict)
    user: User = None
    starter: Starter = None

    def admitted(self, desk: Desk) -> Request:
        """Others than admins have those alone that were sent, and have no commands."""
        record = latest(desk.store, self.plan)
        if not desk.role.includes(Role.ADMIN):
            if Path(record.path).parent.parent != parcel.directory(desk.store.directory):
                raise TransprocError(
                    f"plan {record.number}: is of the controller's host: an admin only may do that"
                )
            expect_allowed(planning.of_record(record)[0], desk)
        return dataclasses.replace(self, **self._for(desk))

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        context = dataclasses.replace(context, user=self.user, starter=self.starter)
        return told(context, *self._carry_out(latest(context.store, self.plan), host, context))

    def _carry_out(self, record: PlanRecord, host: Host, context: Context) -> tuple[int, Outcome]:
        raise NotImplementedError


@dataclass(frozen=True)
class ReplayPlan(_Again):
    """Does once more what a plan in the log did, at the times at which it did it. Returns what `run-plan` does."""

    kind: ClassVar[str] = "replay-plan"
    path: ClassVar[str] = "/plans/replay"

    def _carry_out(self, record: PlanRecord, host: Host, context: Context) -> tuple[int, Outcome]:
        return planning.carry_out(replay.prepared(record, host, self.mapping), host, context)


@dataclass(frozen=True)
class ResumePlan(_Again):
    """Goes on with a plan in the log that was cut off, called off, or has failed. Returns what `run-plan` does."""

    kind: ClassVar[str] = "resume-plan"
    path: ClassVar[str] = "/plans/resume"

    def _carry_out(self, record: PlanRecord, host: Host, context: Context) -> tuple[int, Outcome]:
        checked = resuming.prepared(record, host, self.mapping)
        return record.number, resuming.resume(record, checked, host, context)


def expect_allowed(plan: Plan, desk: Desk) -> None:
    """Raises `TransprocError` for a plan that an admin only may have carried out."""
    if desk.role.includes(Role.ADMIN):
        return
    for step in steps_of(plan.main):
        if step.verb is Verb.COMMAND:
            raise TransprocError(f"line {step.line}: an admin only may have commands carried out")
        if step.directory is not None:
            raise TransprocError(f"line {step.line}: an admin only may choose the directory of a checkpoint")
    for job in plan.jobs.values():
        if job.user not in (None, desk.who):
            raise TransprocError(f"token {desk.who} may not start programs as user {job.user}")


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

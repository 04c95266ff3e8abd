# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The log of plans, in the store: what each one did, step by step, recorded before it was done.

A plan that is carried out holds the lock of a file; one that has no end and no lock was cut off (see `recover`).
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from transproc.automation import parcel
from transproc.automation.plans.model import Plan, Step
from transproc.automation.plans.nodes import used
from transproc.cluster.store import JobStore
from transproc.errors import MissingError, TransprocError

KEPT = 200
"""Plans whose log is kept."""


class Result(StrEnum):
    """How a plan, or one of its steps, ended."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"
    CUT_OFF = "cut off"
    RESUMED = "resumed"  # of what is no step: the plan goes on here


@dataclass(frozen=True)
class StepRecord:
    """One step that was begun: `place` in the plan, as 1.2.1 with rounds; times in seconds of the epoch."""

    number: int
    place: str
    line: int
    title: str
    verb: str
    job: str | None
    started: float
    ended: float | None
    result: str | None
    detail: str


@dataclass(frozen=True)
class PlanRecord:
    """One plan that was begun; `nodes`: what its names meant; `result`: None while it is under way, or was cut off."""

    number: int
    name: str
    path: str
    text: str
    nodes: dict[str, str]
    started: float
    ended: float | None
    result: str | None
    outcome: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def mapping(self, plan: Plan) -> dict[str, str]:
        """What the names that a plan uses meant."""
        names = {name for _, name in used(plan)}
        return {name: node for name, node in self.nodes.items() if name in names}


_PLAN = [field.name for field in fields(PlanRecord)]


class Log:
    """The log of one plan that is carried out. Methods may be called from several threads."""

    def __init__(self, store: JobStore, number: int) -> None:
        self._store = store
        self.number = number

    def touch(self, job: str, called: str) -> None:
        """Records that the plan works on a job, before it does; `called`: what the plan calls it."""
        self._store.database.change(
            "INSERT INTO plan_jobs (plan, job, called) VALUES (:plan, :job, :called)"
            " ON CONFLICT DO UPDATE SET called = :called",
            {"plan": self.number, "job": job, "called": called},
        )

    def go_on(self, words: str) -> None:
        """Records that the plan, which had come to no good end, is under way again."""
        number = {"number": self.number}
        now = {**number, "now": time.time(), "words": words, "result": Result.RESUMED}
        self._store.database.change(
            "INSERT INTO plan_steps (plan, place, line, title, verb, started, ended, result, detail)"
            " VALUES (:number, '', 1, 'the plan goes on', 'goes on', :now, :now, :result, :words)",
            now,
        )
        self._store.database.change(
            "UPDATE plan_steps SET result = :cut, ended = started WHERE plan = :number AND result IS NULL",
            {**number, "cut": Result.CUT_OFF},
        )
        self._store.database.change(
            "UPDATE plans SET ended = NULL, result = NULL, outcome = NULL WHERE number = :number", number
        )

    def begin(self, place: str, step: Step, title: str) -> int:
        """Records that a step begins; returns its number."""
        words = (self.number, place, step.line, title, step.verb, step.job, time.time())
        return int(
            self._store.database.one(
                "INSERT INTO plan_steps (plan, place, line, title, verb, job, started) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " RETURNING number",
                *words,
            )[0]
        )

    def end(self, step: int, result: Result, detail: str = "") -> None:
        """Records how a step ended."""
        words = {"number": step, "ended": time.time(), "result": result, "detail": detail}
        self._store.database.change(
            "UPDATE plan_steps SET ended = :ended, result = :result, detail = :detail WHERE number = :number",
            words,
        )

    def finish(self, result: Result, outcome: str = "") -> None:
        """Records how the plan ended."""
        finish(self._store, self.number, result, outcome)


@contextmanager
def begun(store: JobStore, plan: Plan, nodes: Mapping[str, str]) -> Iterator[Log]:
    """The log of a plan that begins now; while it is open the plan is known to be under way."""
    _forget_old(store)
    row = store.database.one(
        "INSERT INTO plans (name, path, text, nodes, started) VALUES (?, ?, ?, ?, ?) RETURNING number",
        *(plan.name, str(plan.path.absolute()), plan.text, json.dumps(dict(nodes)), time.time()),
    )
    number = int(row[0])
    with lock(store, number) as mine:
        if not mine:  # `recover` has just looked at it
            raise TransprocError(f"plan {plan.name}: another transproc command is working on it")
        yield Log(store, number)


@contextmanager
def lock(store: JobStore, number: int) -> Iterator[bool]:
    """Whether nobody carries the plan out; then nobody begins to, inside."""
    directory = store.directory / "plans"
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"{number}.lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(file)


def finish(store: JobStore, number: int, result: Result, outcome: str) -> None:
    """Records how a plan ended; what of its steps has no end was cut off with it."""
    words = {
        "number": number,
        "ended": time.time(),
        "result": result,
        "outcome": outcome,
        "cut": Result.CUT_OFF,
    }
    store.database.change(
        "UPDATE plan_steps SET result = :cut, ended = :ended WHERE plan = :number AND result IS NULL", words
    )
    store.database.change(
        "UPDATE plans SET ended = :ended, result = :result, outcome = :outcome WHERE number = :number", words
    )


def plans(store: JobStore, name: str | None = None) -> list[PlanRecord]:
    """All plans that were begun, latest first; or those of a name, or the one of a number."""
    where, words = ("", ()) if name is None else (" WHERE name = ? OR number = ?", (name, name))
    columns = "number, name, path, text, nodes, started, ended, result, coalesce(outcome, '')"
    rows = store.database.all(f"SELECT {columns} FROM plans{where} ORDER BY number DESC", *words)
    return [PlanRecord(**{**dict(zip(_PLAN, row, strict=True)), "nodes": json.loads(row[4])}) for row in rows]


def plan(store: JobStore, number: int) -> PlanRecord:
    """The one of a number. Raises `MissingError`."""
    found = [one for one in plans(store, str(number)) if one.number == number]
    if not found:
        raise MissingError(f"plan {number}: there is none")
    return found[0]


def called(store: JobStore, number: int) -> dict[str, str]:
    """The latest job of each name in the plan."""
    rows = store.database.all(
        "SELECT coalesce(called, job), job FROM plan_jobs WHERE plan = ? ORDER BY job", number
    )
    return {str(name): str(job) for name, job in rows}


def steps(store: JobStore, number: int) -> list[StepRecord]:
    """The steps of a plan, in the order in which they began."""
    rows = store.database.all(
        "SELECT number, place, line, title, verb, job, started, ended, result, coalesce(detail, '') FROM plan_steps"
        " WHERE plan = ? ORDER BY number",
        number,
    )
    return [StepRecord(*row) for row in rows]


def jobs(store: JobStore, number: int) -> list[str]:
    """The jobs that a plan has worked on."""
    return [
        job for (job,) in store.database.all("SELECT job FROM plan_jobs WHERE plan = ? ORDER BY job", number)
    ]


def _forget_old(store: JobStore) -> None:
    for record in plans(store)[KEPT:]:
        if record.result is not None:
            store.database.change("DELETE FROM plans WHERE number = :number", {"number": record.number})
            parcel.forget(store.directory, Path(record.path))

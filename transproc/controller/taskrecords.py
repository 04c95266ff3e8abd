# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Records of what a controller was asked to do: each is written before it is begun, and when it has ended."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from transproc.cluster.database import Database
from transproc.controller.requests.base import Request
from transproc.errors import MissingError, TransprocError

KEPT = 10_000
"""Records of tasks that have ended; older ones go."""


class TaskState(StrEnum):
    """Of a task."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # and has left things in order: the error says how
    CANCELLED = "cancelled"  # everything was taken back
    SETTLING = "settling"  # the controller ended meanwhile: what was under way with the job is being settled
    CUT_OFF = "cut off"  # and that was done

    @property
    def ended(self) -> bool:
        """Nothing more happens."""
        return self not in (TaskState.WAITING, TaskState.RUNNING, TaskState.SETTLING)


@dataclass
class Task:
    """One task as it is recorded; times in seconds of the epoch. `error`: message, hint and exit_status."""

    number: int
    kind: str
    job: str | None
    request: dict[str, Any]
    who: str
    state: TaskState
    created: float
    started: float | None = None
    ended: float | None = None
    result: Any = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Key:
    """By which whoever asks knows his task again: he has made it up, and uses it once. `digest`: of what he asks for."""

    text: str
    digest: str

    @staticmethod
    def of(text: str, request: Request) -> Key:
        """What has to be sent first may be sent once more, and then is another upload."""
        words = {key: value for key, value in request.words().items() if key != "upload"}
        asked = json.dumps([request.kind, words], sort_keys=True, default=str)
        return Key(text, hashlib.sha256(asked.encode()).hexdigest())


class TaskRecords:
    """All of them. Methods may be called from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, request: Request, who: str, key: Key | None, *, begins: bool) -> Task:
        """One that waits, or begins now. Raises `StoreError` if the key was used before."""
        task = Task(0, request.kind, request.job, request.record(), who, TaskState.WAITING, time.time())
        if begins:
            task.state, task.started = TaskState.RUNNING, task.created
        row = self._database.one(
            "INSERT INTO tasks (kind, job, request, who, state, created, started, key, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            *(task.kind, task.job, json.dumps(task.request), who, task.state, task.created, task.started),
            *((key.text, key.digest) if key else (None, None)),
        )
        task.number = int(row[0])
        return task

    def save(self, task: Task, *, at_once: bool = True) -> None:
        """What has become of it; `at_once`: as `Database.change` says."""
        words = {"number": task.number, "state": task.state, "started": task.started, "ended": task.ended}
        words |= {"result": json.dumps(task.result), "error": json.dumps(task.error)}
        self._database.change(
            "UPDATE tasks SET state = :state, started = :started, ended = :ended, result = :result, error = :error"
            " WHERE number = :number",
            words,
            at_once=at_once,
        )

    def load(self, number: int) -> Task:
        """One. Raises `MissingError`."""
        rows = self._database.all(f"{_QUERY} WHERE number = ?", number)
        if not rows:
            raise MissingError(f"task {number}: there is none")
        return _task(rows[0])

    def recent(self, job: str | None, limit: int, before: int | None) -> list[Task]:
        """The latest first; those of one job, those before a number."""
        words: list[Any] = [before or 1 << 62, *([job] if job else []), limit]
        which = " AND job = ?" if job else ""
        query = f"{_QUERY} WHERE number < ?{which} ORDER BY number DESC LIMIT ?"
        return [_task(row) for row in self._database.all(query, *words)]

    def known(self, who: str, key: str) -> Task | None:
        """What somebody has asked for with a key."""
        rows = self._database.all(f"{_QUERY} WHERE who = ? AND key = ?", who, key)
        return _task(rows[0]) if rows else None

    def again(self, who: str, key: Key) -> Task | None:
        """The same, for who asks with that key once more. Raises `TransprocError` if it is not for the same."""
        found = self.known(who, key.text)
        query = "SELECT digest FROM tasks WHERE who = ? AND key = ?"
        if found is not None and self._database.one(query, who, key.text)[0] != key.digest:
            raise TransprocError(
                f"the key {key.text!r} was used for another request, task {found.number}",
                hint="each request has a key of its own; the same again has the same words",
            )
        return found

    def unended(self) -> list[Task]:
        """Those of which no end is recorded, oldest first."""
        query = f"{_QUERY} WHERE state IN ('waiting', 'running', 'settling') ORDER BY number"
        return [_task(row) for row in self._database.all(query)]

    def forget_old(self) -> None:
        """KEPT stay."""
        self._database.change(
            "DELETE FROM tasks WHERE number <= (SELECT max(number) FROM tasks) - :kept", {"kept": KEPT}
        )


_QUERY = "SELECT number, kind, job, request, who, state, created, started, ended, result, error FROM tasks"


def _task(row: tuple[Any, ...]) -> Task:
    number, kind, job, request, who, state, *times, result, error = row
    found = Task(number, kind, job, json.loads(request), who, TaskState(state), *times)
    found.result, found.error = json.loads(result or "null"), json.loads(error or "null")
    return found

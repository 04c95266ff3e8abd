# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The records as whoever shows them reads them: all jobs at once, and all that was ever begun with one, with its steps.

A reader has a connection of its own, which cannot write: it waits for nobody who does, and notices what any process records.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transproc.cluster.database import BUSY_SECONDS
from transproc.cluster.job import Job
from transproc.errors import StoreError


@dataclass(frozen=True)
class StepRecord:
    """One step of something: `started` in seconds of the epoch; `seconds` is None until it has ended well.

    `detail`: a few words, or why it has failed.
    """

    name: str
    started: float
    seconds: float | None
    detail: str


@dataclass(frozen=True)
class AttemptRecord:
    """Something that was begun with a job, as `schema` describes it; `result` is None while it is under way.

    `downtime` in seconds and `bytes` are known of migrations that have succeeded.
    """

    number: int
    job: str
    kind: str
    before: str
    source: str
    target: str | None
    started: float
    ended: float | None
    result: str | None
    outcome: str
    downtime: float | None
    bytes: int | None
    steps: tuple[StepRecord, ...]


@dataclass(frozen=True)
class Listed:
    """A job in a list, without its history; `job` is None if its record is damaged."""

    name: str
    job: Job | None


class Reader:
    """`path`: the database of a `JobStore`, which must exist. Methods may be called from several threads.

    Each raises `StoreError` if the records cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mutex = threading.Lock()
        self._listed: tuple[int, list[Listed]] = -1, []
        self._known: dict[str, tuple[tuple[str, int], Listed]] = {}
        try:
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise StoreError(f"the records of jobs, {path}: {error}") from error
        weakref.finalize(self, self._database.close)

    def stamp(self) -> int:
        """A number that is another one whenever something was recorded since; it takes microseconds."""
        return int(self._all("PRAGMA data_version")[0][0])

    def jobs(self) -> list[Listed]:
        """All jobs by name, each with the attempts left out; only what has changed since the last call is read again."""
        stamp, (before, listed) = self.stamp(), self._listed
        if stamp == before:
            return list(listed)
        marks = {name: (identity, version) for name, identity, version in self._all(_MARKS)}
        known = {name: old for name, old in self._known.items() if marks.get(name) == old[0]}
        changed = sorted(marks.keys() - known.keys())
        for start in range(0, len(changed), 500):  # SQLite takes a limited number of words
            part = changed[start : start + 500]
            for name, identity, version, record in self._all(_RECORDS.format(_words(part)), *part):
                known[name] = ((identity, version), _listed(name, identity, version, record))
        self._known = known
        found = [known[name][1] for name in sorted(known)]
        self._listed = stamp, found
        return list(found)

    def under_way(self) -> list[AttemptRecord]:
        """What has begun and not ended, or was cut off, oldest first."""
        return self._attempts("WHERE result IS NULL ORDER BY number")

    def attempts(self, job: str, limit: int = 200) -> list[AttemptRecord]:
        """What was begun with the job of that name, latest first."""
        return self._attempts("WHERE jobs.name = ? ORDER BY number DESC LIMIT ?", job, limit)

    def recent(self, kind: str, limit: int = 200, *, steps: bool = True) -> list[AttemptRecord]:
        """What of a kind was begun with any job that there is, latest first; `steps`: with those, which are most of it."""
        found = self._outlines("WHERE kind = ? ORDER BY number DESC LIMIT ?", kind, limit)
        return self.with_steps(found) if steps else found

    def latest(self, limit: int = 200) -> list[AttemptRecord]:
        """What was begun with any job that there is, latest first."""
        return self._attempts("ORDER BY number DESC LIMIT ?", limit)

    def since(self, kind: str, started: float) -> list[AttemptRecord]:
        """What of a kind was begun later than that, or has not ended, latest first; without its steps."""
        which = "WHERE kind = ? AND (started > ? OR result IS NULL) ORDER BY number DESC"
        return self._outlines(which, kind, started)

    def arrivals(self, names: Sequence[str]) -> dict[str, float]:
        """When each of these jobs came to the node where it is, for those that have moved."""
        return dict(self._all(_ARRIVALS.format(_words(names)), *names))

    def with_steps(self, attempts: Sequence[AttemptRecord]) -> list[AttemptRecord]:
        """The same, each with its steps."""
        steps: dict[int, list[StepRecord]] = defaultdict(list)
        numbers = [one.number for one in attempts]
        for start in range(0, len(numbers), 500):
            part = numbers[start : start + 500]
            for number, name, started, seconds, detail in self._all(_STEPS.format(_words(part)), *part):
                steps[number].append(StepRecord(name, started, seconds, detail or ""))
        return [replace(one, steps=tuple(steps[one.number])) for one in attempts]

    def _attempts(self, which: str, *words: Any) -> list[AttemptRecord]:
        return self.with_steps(self._outlines(which, *words))

    def _outlines(self, which: str, *words: Any) -> list[AttemptRecord]:
        """Without their steps."""
        return [_attempt(row) for row in self._all(f"{_ATTEMPTS} {which}", *words)]

    def _all(self, query: str, *words: Any) -> list[tuple[Any, ...]]:
        with self._mutex:
            try:
                return self._database.execute(query, words).fetchall()
            except sqlite3.Error as error:
                raise StoreError(f"the records of jobs, {self.path}: {error}") from error


_MARKS = "SELECT name, id, version FROM jobs"
_RECORDS = "SELECT name, id, version, record FROM jobs WHERE name IN ({})"
_COLUMNS = "number job kind before source target started ended result outcome downtime bytes".split()
_ATTEMPTS = f"SELECT {', '.join(_COLUMNS).replace(' job,', ' jobs.name,')} FROM attempts JOIN jobs ON jobs.id = attempts.job"
_STEPS = (
    "SELECT attempt, name, started, seconds, detail FROM steps WHERE attempt IN ({}) ORDER BY attempt, number"
)
_ARRIVALS = (
    "SELECT jobs.name, max(ended) FROM attempts JOIN jobs ON jobs.id = attempts.job"
    " WHERE jobs.name IN ({}) AND kind = 'migrate' AND result = 'done' AND ended NOT NULL GROUP BY jobs.name"
)


def _words(values: Sequence[object]) -> str:
    """Places for so many words of a query."""
    return ", ".join("?" * len(values))


def _attempt(row: tuple[Any, ...]) -> AttemptRecord:
    words = dict(zip(_COLUMNS, row, strict=True))
    return AttemptRecord(**{**words, "outcome": words["outcome"] or "", "steps": ()})


def _listed(name: str, identity: str, version: int, record: str) -> Listed:
    try:
        data = {**json.loads(record), "name": name, "id": identity, "history": [], "version": version}
        return Listed(name, Job.from_dict(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Listed(name, None)

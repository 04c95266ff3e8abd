# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The records of this host's jobs: an SQLite database in the state directory, and beside it what the jobs have here.

    STATE/jobs.sqlite     records, attempts and their steps (see `schema.py`)
    STATE/jobs/NAME/      pair/, and during a migration move/
    STATE/locks/NAME      while a command works on the job; the lock ends with the process that has it

All of it is for the owner alone. A record that was read may be written only if nobody has written it since (`ConflictError`).
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from transproc import paths
from transproc.cluster import passing, schema
from transproc.cluster.database import Database
from transproc.cluster.job import Hop, Job, State, check_name, name_after
from transproc.cluster.locks import Locks
from transproc.errors import ConflictError, MissingError, TransprocError

LONGEST_DETAIL = 4000
"""Characters of what is recorded with a step: messages of failures hold what programs have said."""


class Result(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    UNDONE = "undone"  # the job stayed where it was
    ENDED = "ended"  # the program ended meanwhile
    UNDECIDED = "undecided"  # a node that does not answer knows it


MOST_NAMED = 20
"""Jobs that an error lists."""


@dataclass(frozen=True)
class Attempt:
    """Something that was begun with a job, and whose end is not known: `kind` is the command, `before` the job's state then.

    `steps` that have begun, in order. `undecided`: the command came to its end, but could not ask the node that knows.
    """

    number: int
    kind: str
    before: State
    source: str
    target: str | None
    undecided: bool
    steps: list[str]


class JobStore(Locks):
    """All jobs of this host; `directory`: the state directory. Methods may be called from several threads.

    Each raises `StoreError` if the records cannot be read or written.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or paths.state()
        for place in (self.directory, self.directory / "jobs", self.directory / "locks"):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = self.directory / "jobs.sqlite"
        super().__init__(Database(self.path), self.directory / "locks")
        self.host = str(self.database.one("SELECT value FROM facts WHERE name = 'host'")[0])
        if directory is None and (old := paths.home() / "jobs").is_dir():
            with self.database.errors():
                schema.take_over(self.database.connection, old, self.directory / "jobs")

    # --- records -----------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """All jobs, by name."""
        return [name for (name,) in self.database.all("SELECT name FROM jobs ORDER BY name")]

    def load(self, name: str) -> Job:
        """The record of a job; raises `MissingError` if there is none, `TransprocError` if it is damaged."""
        check_name(name)
        rows = self.database.all("SELECT record, version, id FROM jobs WHERE name = ?", name)
        if not rows:
            known = self.names()
            more = ", …" if len(known) > MOST_NAMED else ""
            hint = (
                f"jobs: {', '.join(known[:MOST_NAMED])}{more}"
                if known
                else "'transproc run --name NAME -- PROG' starts one"
            )
            raise MissingError(f"job {name}: no such job", hint=hint)
        record, version, identity = rows[0]
        try:
            data = {**json.loads(record), "name": name, "id": identity, "history": [], "version": version}
            job = Job.from_dict(data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise TransprocError(
                f"job {name}: its record is damaged: {error}",
                hint=f"look for its process on the nodes and end it there; 'transproc kill --remove {name}' forgets it",
            ) from error
        job.history = self._history(job.id)
        return job

    def save(self, job: Job, *, at_once: bool = True) -> None:
        """Writes the record; raises `ConflictError` if it has changed since it was read, or was removed.

        `at_once`, here and below: as in `Database.change`.
        """
        words = {"name": job.name, "id": job.id, "version": job.version, "state": job.state}
        words["record"] = json.dumps(job.record())
        if job.version == 0:
            done = self.database.change(
                "INSERT OR IGNORE INTO jobs VALUES (:name, :id, 1, :state, :record)", words
            )
        else:
            done = self.database.change(
                "UPDATE jobs SET version = version + 1, state = :state, record = :record"
                " WHERE name = :name AND id = :id AND version = :version",
                words,
                at_once=at_once,
            )
        if done != 1:
            raise ConflictError(f"job {job.name}: another transproc command has changed it meanwhile")
        job.version += 1

    def expect_free(self, name: str) -> None:
        """Raises `TransprocError` if the name is that of a job which has not ended."""
        check_name(name)
        if name in self.names() and self.load(name).state is not State.EXITED:
            raise TransprocError(
                f"job {name}: exists already",
                hint=f"'transproc kill {name}' ends it; --name gives the new one another name",
            )

    def create(self, job: Job) -> None:
        """A record for a new job; raises `TransprocError` if the name is taken by one that has not ended."""
        self.expect_free(job.name)
        self.remove(job.name)
        if not job.id.startswith(self.host):  # on nodes it tells whose directory that is
            job.id = f"{self.host}-{job.id}"
        self.save(job)
        self.files(job.name).mkdir(mode=0o700)

    def remove(self, name: str) -> None:
        """Forgets a job: its record and history, its pair and images on the host."""
        check_name(name)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.files(name))
        self.forget_images(name)
        self.database.change("DELETE FROM jobs WHERE name = :name", {"name": name})

    def free_name(self, program: str) -> str:
        """A name for a new job, after its program."""
        base = name_after(program)
        # '.' comes after '-': only names of this program are read, by the index
        query = "SELECT name FROM jobs WHERE (name = ? OR (name >= ? AND name < ?)) AND state <> 'exited'"
        taken = {name for (name,) in self.database.all(query, base, f"{base}-", f"{base}.")}
        return next(
            name for n in range(len(taken) + 1) if (name := f"{base}-{n + 1}" if n else base) not in taken
        )

    # --- attempts ----------------------------------------------------------------------------------------------

    def begin(self, job: Job, kind: str, target: str | None = None) -> int:
        """Records that something begins which a crash must not leave half done; returns its number."""
        words = (job.id, kind, job.state, job.node, target, time.time())
        row = self.database.one(
            "INSERT INTO attempts (job, kind, before, source, target, started) VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
            *words,
        )
        return int(row[0])

    def step(self, attempt: int, number: int, name: str, *, at_once: bool = True) -> None:
        """Records that a step begins: before it does."""
        words = {"attempt": attempt, "number": number, "name": name, "started": time.time()}
        self.database.change(
            "INSERT INTO steps (attempt, number, name, started) VALUES (:attempt, :number, :name, :started)",
            words,
            at_once=at_once,
        )

    def step_done(
        self, attempt: int, number: int, seconds: float, detail: str, *, at_once: bool = True
    ) -> None:
        """Records that a step has ended well."""
        words = {"attempt": attempt, "number": number, "seconds": seconds, "detail": detail}
        self.database.change(
            "UPDATE steps SET seconds = :seconds, detail = :detail WHERE attempt = :attempt AND number = :number",
            words,
            at_once=at_once,
        )

    def note_checkpoint(self, attempt: int, path: Path) -> None:
        """Records where a checkpoint is to be: before anything of it is there."""
        self.database.change(
            "INSERT INTO checkpoints VALUES (:attempt, :path)", {"attempt": attempt, "path": str(path)}
        )

    def checkpoints(self, job: Job) -> list[Path]:
        """Where the checkpoints of a job were written, oldest first; they may have been moved or removed since."""
        return self._paths(job, f"result = '{Result.DONE}'")

    def drafts(self, job: Job) -> list[Path]:
        """Where checkpoints of a job were to be that were cut off."""
        return self._paths(job, f"result IS NULL OR result = '{Result.UNDECIDED}'")

    def _paths(self, job: Job, which: str) -> list[Path]:
        rows = self.database.all(
            "SELECT path FROM checkpoints JOIN attempts ON attempt = number"
            f" WHERE job = ? AND ({which}) ORDER BY number",
            job.id,
        )
        return [Path(path) for (path,) in rows]

    def step_failed(self, attempt: int, message: str) -> None:
        """Records why the step under way has not ended well."""
        words = {"attempt": attempt, "detail": message[:LONGEST_DETAIL]}
        self.database.change(
            "UPDATE steps SET detail = :detail WHERE attempt = :attempt AND seconds IS NULL AND number ="
            " (SELECT max(number) FROM steps WHERE attempt = :attempt)",
            words,
        )

    def settle(self, attempt: int, result: Result, outcome: str = "", hop: Hop | None = None) -> None:
        """Records how it ended; `outcome`: what became of the process."""
        words = {"number": attempt, "ended": time.time(), "result": result, "outcome": outcome}
        words |= {"started": hop and hop.started, "downtime": hop and hop.downtime}
        words |= {"bytes": hop and hop.bytes_sent}
        self.database.change(
            "UPDATE attempts SET ended = :ended, result = :result, outcome = :outcome, downtime = :downtime,"
            " bytes = :bytes, started = coalesce(:started, started) WHERE number = :number",
            words,
        )

    def settle_all(self, job: Job, result: Result, outcome: str) -> None:
        """Records the end of whatever was begun with a job, and is not known to have ended."""
        words = {"job": job.id, "ended": time.time(), "result": result, "outcome": outcome}
        self.database.change(
            "UPDATE attempts SET ended = :ended, result = :result, outcome = :outcome"
            f" WHERE job = :job AND (result IS NULL OR result = '{Result.UNDECIDED}')",
            words,
        )

    def unsettled(self, job: Job) -> Attempt | None:
        """The attempt of a job whose end is not known, if there is one."""
        rows = self.database.all(
            "SELECT number, kind, before, source, target, result FROM attempts"
            " WHERE job = ? AND (result IS NULL OR result = ?) ORDER BY number DESC LIMIT 1",
            job.id,
            Result.UNDECIDED,
        )
        if not rows:
            return None
        number, kind, before, source, target, result = rows[0]
        steps = self.database.all("SELECT name FROM steps WHERE attempt = ? ORDER BY number", number)
        undecided = result is not None
        return Attempt(number, kind, State(before), source, target, undecided, [name for (name,) in steps])

    def _history(self, job: str) -> list[Hop]:
        hops = []
        for number, *words in self.database.all(
            "SELECT number, source, target, started, downtime, bytes FROM attempts"
            " WHERE job = ? AND kind = 'migrate' AND result = ? ORDER BY number",
            job,
            Result.DONE,
        ):
            source, target, started, downtime, count = words
            query = "SELECT name, seconds FROM steps WHERE attempt = ? AND seconds NOT NULL ORDER BY number"
            steps = self.database.all(query, number)
            hops.append(Hop(source, target, started, downtime or 0.0, dict(steps), count or 0))
        return hops

    # --- the host's part of a job --------------------------------------------------------------------------------

    def files(self, name: str) -> Path:
        """The job's directory on the host."""
        return self.directory / "jobs" / name

    def pair(self, name: str) -> Path:
        """Holds PROG.x86_64 and PROG.aarch64."""
        return self.files(name) / "pair"

    def move(self, name: str) -> Path:
        """Holds `images/` with `dump/` and `image/`; the job's files never come to the host."""
        return self.files(name) / "move"

    def passing(self, name: str) -> Path | None:
        """Holds the same while a small process moves, in memory; None if there is no room."""
        return passing.directory(self.directory, name) if passing.usable() else None

    def forget_images(self, name: str) -> None:
        """Removes the images of a job that have come to the host."""
        for place in (self.move(name), passing.directory(self.directory, name)):
            shutil.rmtree(place, ignore_errors=True)

    def glance(self, name: str) -> Path:
        """Holds the image of a job that is looked at while it goes on."""
        return self.files(name) / "glance"

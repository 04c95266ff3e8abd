# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables in which a host keeps its jobs, and how an older database, or the JSON files of before, become the present one.

    jobs         one line a job; `record` is `Job.record()`, `version` counts its changes
    attempts     one line for each change of a job's place or state that was begun, migrations above all: `kind` is the command,
                 `before` the job's state then; `result` stays null while it is under way
    steps        of each, written before the step begins; `seconds` stays null until it has ended well,
                 `detail` says a few words about it, or why it has failed
    checkpoints  where an attempt of kind `checkpoint` writes to
    tokens       who may use a controller, and as what: `digest` is of the secret, which nobody keeps
    tasks        what a controller was asked to do, by whom; `request`, `result` and `error` are JSON (controller/tasks.py);
                 `key`: by which whoever asks knows it again, once for each of them, `digest`: of what was asked with it
    facts        `host`: a random name of this store, with which the ids of its jobs begin
    plans        one line for each plan that was begun (`automation/plans/records.py`): its text, what it calls the nodes (JSON),
                 and how it ended; `result` stays null while it is carried out, or if it was cut off
    plan_jobs    the jobs that it has worked on
    plan_steps   of each, written before the step begins

`PRAGMA user_version` is the version of the schema; a step of `_STEPS` leads from each version to the next one.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transproc.cluster.job import check_name
from transproc.errors import FormatError, TransprocError

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE jobs (
  name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE attempts (
  number INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  kind TEXT NOT NULL, before TEXT NOT NULL, source TEXT NOT NULL, target TEXT, started REAL NOT NULL,
  ended REAL, result TEXT, outcome TEXT, downtime REAL, bytes INTEGER
);
CREATE INDEX attempts_of_job ON attempts (job);
CREATE TABLE steps (
  attempt INTEGER NOT NULL REFERENCES attempts (number) ON DELETE CASCADE, number INTEGER NOT NULL,
  name TEXT NOT NULL, started REAL NOT NULL, seconds REAL, detail TEXT,
  PRIMARY KEY (attempt, number)
) WITHOUT ROWID;
"""


def _create(database: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        database.execute(statement)
    database.execute("INSERT INTO facts VALUES ('host', ?)", (secrets.token_hex(4),))


_PLANS = """
CREATE TABLE plans (
  number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, path TEXT NOT NULL, text TEXT NOT NULL, nodes TEXT NOT NULL,
  started REAL NOT NULL, ended REAL, result TEXT, outcome TEXT
);
CREATE TABLE plan_jobs (
  plan INTEGER NOT NULL REFERENCES plans (number) ON DELETE CASCADE, job TEXT NOT NULL, PRIMARY KEY (plan, job)
) WITHOUT ROWID;
CREATE TABLE plan_steps (
  number INTEGER PRIMARY KEY AUTOINCREMENT, plan INTEGER NOT NULL REFERENCES plans (number) ON DELETE CASCADE,
  place TEXT NOT NULL, line INTEGER NOT NULL, title TEXT NOT NULL, verb TEXT NOT NULL, job TEXT,
  started REAL NOT NULL, ended REAL, result TEXT, detail TEXT
);
CREATE INDEX steps_of_plan ON plan_steps (plan)
"""


def _create_plans(database: sqlite3.Connection) -> None:
    for statement in _PLANS.split(";"):
        database.execute(statement)


def _add_checkpoints(database: sqlite3.Connection) -> None:
    database.execute(
        "CREATE TABLE checkpoints ("
        " attempt INTEGER PRIMARY KEY REFERENCES attempts (number) ON DELETE CASCADE, path TEXT NOT NULL)"
    )


_CONTROLLER = """
CREATE TABLE tokens (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, digest BLOB NOT NULL,
  created REAL NOT NULL, expires REAL, used REAL
) WITHOUT ROWID;
CREATE TABLE tasks (
  number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, job TEXT, request TEXT NOT NULL, who TEXT NOT NULL,
  state TEXT NOT NULL, created REAL NOT NULL, started REAL, ended REAL, result TEXT, error TEXT
);
CREATE INDEX tasks_of_job ON tasks (job);
CREATE INDEX tasks_by_state ON tasks (state)
"""


def _controller(database: sqlite3.Connection) -> None:
    for statement in _CONTROLLER.split(";"):
        database.execute(statement)


def _name_jobs_of_plans(database: sqlite3.Connection) -> None:
    database.execute("ALTER TABLE plan_jobs ADD COLUMN called TEXT")


def _know_tasks_again(database: sqlite3.Connection) -> None:
    database.execute("ALTER TABLE tasks ADD COLUMN key TEXT")
    database.execute("ALTER TABLE tasks ADD COLUMN digest TEXT")
    database.execute("CREATE UNIQUE INDEX tasks_by_key ON tasks (who, key) WHERE key NOT NULL")


_STEPS: list[Callable[[sqlite3.Connection], None]] = [
    _create,
    _create_plans,
    _add_checkpoints,
    _controller,
    _name_jobs_of_plans,
    _know_tasks_again,
]


def prepare(database: sqlite3.Connection, path: Path) -> None:
    """Brings a database to the present version; raises `FormatError` if a later transproc made it."""
    found = _version(database)
    if found > len(_STEPS):
        raise FormatError(
            f"is of version {found}, expected at most {len(_STEPS)}",
            path=path,
            hint="a later transproc has written it: use that one",
        )
    if found == len(_STEPS):
        return
    database.execute("BEGIN IMMEDIATE")  # another process may be doing the same
    with contextlib.closing(_Transaction(database)):
        for number in range(_version(database), len(_STEPS)):
            _STEPS[number](database)
            database.execute(f"PRAGMA user_version = {number + 1}")
        database.execute("COMMIT")


def take_over(database: sqlite3.Connection, old: Path, files: Path) -> None:
    """Moves the jobs whose records are JSON files in directory `old` into the database, and what they have into `files`.

    A file that cannot be read becomes a damaged record: its name is not given to another job.
    """
    for path in sorted(old.glob("*.json")):
        with contextlib.suppress(TransprocError):
            check_name(path.stem)
            _take_over(database, path, files / path.stem)
    for path in [*old.glob("*.lock"), *old.glob("*.new")]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        old.rmdir()


def _take_over(database: sqlite3.Connection, path: Path, files: Path) -> None:
    text = path.read_text(errors="replace")
    data, history = _record(path.stem, text)
    database.execute("BEGIN IMMEDIATE")
    with contextlib.closing(_Transaction(database)):
        if path.exists():
            state, record = data.get("state", ""), json.dumps(data) if data else text
            words = (path.stem, data.get("id", secrets.token_hex(8)), state, record)
            database.execute("INSERT OR IGNORE INTO jobs VALUES (?, ?, 1, ?, ?)", words)
            for hop in history:
                add_hop(database, data["id"], hop)
            with contextlib.suppress(FileNotFoundError):
                shutil.move(path.with_suffix(""), files)
            database.execute("COMMIT")
            path.unlink()


def _record(name: str, text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A record and its migrations; empty if that is no record."""
    try:
        data = dict(json.loads(text))
        history = [dict(hop, steps=dict(hop["steps"])) for hop in data.pop("history")]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}, []
    good = data.get("name") == name and all(isinstance(data.get(key), str) for key in ("id", "state"))
    return (data, history) if good else ({}, [])


def add_hop(database: sqlite3.Connection, job: str, hop: dict[str, Any]) -> None:
    """A migration that has ended well, as `Hop` describes it."""
    found = database.execute(
        "INSERT INTO attempts (job, kind, before, source, target, started, ended, result, downtime, bytes)"
        " VALUES (:job, 'migrate', 'running', :source, :target, :started, :started, 'done', :downtime, :bytes_sent)",
        {**hop, "job": job, "steps": None},
    )
    steps = [
        (found.lastrowid, number, name, hop["started"], seconds)
        for number, (name, seconds) in enumerate(hop["steps"].items())
    ]
    database.executemany(
        "INSERT INTO steps (attempt, number, name, started, seconds) VALUES (?, ?, ?, ?, ?)", steps
    )


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


class _Transaction:
    """Rolls back what has not been committed."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def close(self) -> None:
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

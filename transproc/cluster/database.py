# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The way to the SQLite database of the records: one connection for a process, used by several threads.

Every change is on the disk when it returns, unless it says that it may come there with the next one that must. Either way it
outlives this process, whenever that is killed, and changes come to the disk in their order. The tables are those of `schema.py`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transproc.cluster import schema
from transproc.errors import StoreError

BUSY_SECONDS = 10.0
"""How long another process may hold the database, which takes milliseconds."""


class Database:
    """Made at `path` if it is not there, for its owner alone, and brought to the present schema.

    Each method raises `StoreError` if the records cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mutex = threading.Lock()
        with self.errors():
            # SQLite gives its other files the same mode
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            weakref.finalize(self, self.connection.close)
            for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                self.connection.execute(f"PRAGMA {setting}")
            schema.prepare(self.connection, path)

    def all(self, query: str, *words: Any) -> list[tuple[Any, ...]]:
        """The lines that a query finds."""
        with self._mutex, self.errors():
            return self.connection.execute(query, words).fetchall()

    def one(self, query: str, *words: Any) -> tuple[Any, ...]:
        """The only line that a query finds."""
        (row,) = self.all(query, *words)
        return row

    def change(self, statement: str, words: dict[str, Any], *, at_once: bool = True) -> int:
        """How many lines a statement has changed. Without `at_once` the disk is not waited for: if this machine loses its power
        before the next change that is, the records are as they were before.
        """
        with self._mutex, self.errors():
            if at_once:
                return self.connection.execute(statement, words).rowcount
            self.connection.execute("PRAGMA synchronous = NORMAL")
            try:
                return self.connection.execute(statement, words).rowcount
            finally:
                self.connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What SQLite or the file system raises inside becomes a `StoreError`."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            full = "full" in str(error) or "No space left" in str(error)
            raise StoreError(
                f"the records of jobs, {self.path}: {error}",
                hint="make room there, then 'transproc recover'" if full else None,
            ) from error

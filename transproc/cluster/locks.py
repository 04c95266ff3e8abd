# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Who works on a job: STATE/locks/NAME, which only one process of this host has at a time, and which ends with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transproc.cluster.database import Database
from transproc.cluster.job import check_name
from transproc.errors import BusyError

DEAD_SECONDS = 2.0
"""A process that was killed while it started another one has left its lock to that, until that executes its program."""
BRIEF = "refresh"
"""What holds a lock under this name writes a line, and is waited for."""


class Locks:
    """Those of all jobs of this host, in a directory that is there; a lock that cannot be made is an error of the `database`."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self._locks = directory

    @contextmanager
    def lock(self, name: str, what: str = "") -> Iterator[None]:
        """Only one transproc at a time works on a job; raises `BusyError` if another one does. `what`: tells others."""
        check_name(name)
        path = self._locks / name
        file = self._locked(name, path)
        try:
            os.ftruncate(file, 0)
            with contextlib.suppress(OSError):  # a full disk
                os.write(file, f"{what or 'at work'}, process {os.getpid()}".encode())
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is ours; who has opened it meanwhile looks again
            os.close(file)

    def at_work(self, name: str) -> bool:
        """Whether a transproc seems to work on the job at this moment. Nobody is disturbed by this look."""
        pid = self._worker(name)
        return pid is not None and pid.isdecimal() and Path("/proc", pid).exists()

    def busy(self, name: str) -> bool:
        """Whether another process works on a job at this moment, which may be over when it is read."""
        pid = self._worker(name)
        return pid is not None and pid != str(os.getpid()) and Path("/proc", pid or "self").exists()

    def _worker(self, name: str) -> str | None:
        """Whose lock there is: a process's number, or nothing yet; None if there is no lock."""
        check_name(name)
        try:
            who = (self._locks / name).read_text(errors="replace")
        except OSError:
            return None
        return who.rpartition(" ")[2]

    def _locked(self, name: str, path: Path) -> int:
        until = time.monotonic() + DEAD_SECONDS
        while True:
            with self.database.errors():
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file).st_nlink:
                    return file
            except BlockingIOError:
                who = os.read(file, 200).decode(errors="replace")
                lasts = Path("/proc", who.rpartition(" ")[2] or "self").exists() and not who.startswith(BRIEF)
                if lasts or time.monotonic() > until:
                    os.close(file)
                    raise BusyError(
                        f"job {name}: another transproc command is working on it"
                        + (f" ({who})" if who else "")
                    ) from None
                time.sleep(0.01)
            except BaseException:
                os.close(file)
                raise
            os.close(file)

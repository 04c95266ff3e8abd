"""A job: a named program that transproc started and may move, and its record on the host.

On the host `home()/jobs/NAME.json` is the record and `home()/jobs/NAME/` holds the pair of binaries (a copy: the
program may be compiled again while the job runs) and, during a migration, the images. On the node that holds the
process, and nowhere else, `/var/lib/transproc/jobs/NAME/` is the job's directory (see `place.py`).

A record is written *before* each step that cannot be taken back, so that it tells the truth, or less than the truth,
whenever the host dies: the state is then the last one that was certain.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from transproc.errors import TransprocError
from transproc.paths import home

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


class State(StrEnum):
    """What is known of a job's process. `resume` leads from each of the middle four back to RUNNING on the source."""

    STARTING = "starting"  # its directory is being sent; no process yet
    RUNNING = "running"
    PAUSED = "paused"  # stopped at equivalence points on `node`
    DUMPED = "dumped"  # paused, and its image is on the host
    TRANSFORMED = "transformed"  # paused, and the image for the other ISA is on the host
    RESTORED = "restored"  # paused on `node`, and a copy that has not run is stopped on `target`
    EXITED = "exited"


@dataclass
class Hop:
    """One migration, in seconds; `downtime` from the pause's beginning to the target's resume."""

    source: str
    target: str
    started: float
    downtime: float
    steps: dict[str, float] = field(default_factory=dict)
    bytes_sent: int = 0


@dataclass
class Job:
    """The record of one job; `pid` is the same on every node (CRIU restores it)."""

    name: str
    node: str
    argv: list[str]
    pid: int = 0
    state: State = State.STARTING
    target: str | None = None
    exit: str | None = None
    started: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    moves: int = 0
    terminal: bool = False
    """Its standard streams are a terminal, which `transproc attach` connects to."""
    leftovers: list[str] = field(default_factory=list)
    history: list[Hop] = field(default_factory=list)

    @property
    def program(self) -> str:
        """File name of the program, without the ISA."""
        return Path(self.argv[0]).name

    @property
    def stopped(self) -> bool:
        """The process exists and is stopped by us."""
        return self.state in (State.PAUSED, State.DUMPED, State.TRANSFORMED, State.RESTORED)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Job:
        """The reverse of `as_dict`."""
        hops = [Hop(**hop) for hop in data["history"]]
        return cls(**{**data, "state": State(data["state"]), "history": hops})


class JobStore:
    """The records of all jobs of this host."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or home() / "jobs"
        self.directory.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """All jobs, by name."""
        return sorted(path.stem for path in self.directory.glob("*.json"))

    def load(self, name: str) -> Job:
        """The record of a job; raises `TransprocError` if there is none."""
        path = self._record(name)
        try:
            return Job.from_dict(json.loads(path.read_text()))
        except FileNotFoundError:
            known = self.names()
            hint = f"jobs: {', '.join(known)}" if known else "'transproc run --name NAME -- PROG' starts one"
            raise TransprocError(f"job {name}: no such job", hint=hint) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise TransprocError(
                f"job {name}: record {path} is damaged: {error}",
                hint="look for its process on the nodes, end it there, and remove this file",
            ) from error

    def save(self, job: Job) -> None:
        """Writes the record: the old one or the new one is there at any moment."""
        path = self._record(job.name)
        draft = path.with_suffix(".new")
        with draft.open("w") as file:
            json.dump(job.as_dict(), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def create(self, job: Job) -> None:
        """A record for a new job; raises `TransprocError` if the name is taken by one that has not ended."""
        if not _NAME.fullmatch(job.name):
            raise TransprocError(
                f"job name {job.name!r}: expected lower-case letters, digits, '.', '_', '-', at most 40"
            )
        if self._record(job.name).exists() and self.load(job.name).state is not State.EXITED:
            raise TransprocError(
                f"job {job.name}: exists already",
                hint=f"'transproc kill {job.name}' ends it; --name gives the new one another name",
            )
        self.remove(job.name)
        self.files(job.name).mkdir(parents=True)
        self.save(job)

    def remove(self, name: str) -> None:
        """Forgets a job: its record, its pair and images on the host."""
        self._record(name).unlink(missing_ok=True)
        shutil.rmtree(self.files(name), ignore_errors=True)

    def files(self, name: str) -> Path:
        """The job's directory on the host."""
        return self.directory / name

    def pair(self, name: str) -> Path:
        """Holds PROG.x86_64 and PROG.aarch64."""
        return self.files(name) / "pair"

    def move(self, name: str) -> Path:
        """Holds `files/` (the job's directory while it is stopped), `dump/` and `image/`."""
        return self.files(name) / "move"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Only one transproc at a time works on a job; raises `TransprocError` if another one does."""
        with (self.directory / f"{name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TransprocError(f"job {name}: another transproc command is working on it") from None
            yield

    def free_name(self, program: str) -> str:
        """A name for a new job, after its program."""
        base = re.sub(r"[^a-z0-9._-]", "-", program.lower()).lstrip("._-")[:32] or "job"
        taken = {name for name in self.names() if not self._has_ended(name)}
        return next(
            name for n in range(len(taken) + 1) if (name := f"{base}-{n + 1}" if n else base) not in taken
        )

    def _has_ended(self, name: str) -> bool:
        """A job whose record cannot be read may still run."""
        try:
            return self.load(name).state is State.EXITED
        except TransprocError:
            return False

    def _record(self, name: str) -> Path:
        return self.directory / f"{name}.json"

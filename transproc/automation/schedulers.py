# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jobs of a batch system move: what such a system must be able to do, and how a job moves by that.

A batch system (Slurm, HTCondor, Kubernetes) decides itself which program runs where, and keeps account of it: a job may not be
taken away behind its back. So a job that is to go elsewhere makes a checkpoint, leaves through the system's own door, is told
where it may go, and goes on from the checkpoint when the system starts it again:

    check → stop → (stopped) → ship → place → start

`Scheduler` is all that this needs of one. How each of them fits, docs/slurm.md says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from transproc.cluster.events import Cancel, Events
from transproc.errors import TransprocError

LOOK_SECONDS = 0.5
"""Between two looks at whether a job has stopped."""


@dataclass(frozen=True)
class Host:
    """A machine of the batch system: `isa` as `uname -m` says it, `places` as the system names sets of machines (partitions,
    pools, labels), `open`: it takes new jobs.
    """

    name: str
    isa: str
    places: tuple[str, ...]
    open: bool


@dataclass(frozen=True)
class Running:
    """A job as the batch system has it: `place`: where it may run; `host`: where it runs, empty if it waits."""

    id: str
    place: str
    host: str
    stopped: bool
    """It does not run, and does not start before it is told to (`start`)."""


class Scheduler(Protocol):
    """A batch system. Jobs are named as it names them; methods raise `TransprocError`."""

    def hosts(self) -> Sequence[Host]:
        """All machines."""

    def look(self, job: str) -> Running:
        """How things are with a job. Raises `TransprocError` if it has ended."""

    def check(self, job: str, place: str) -> None:
        """Raises `TransprocError` if the job, as it was submitted, could not start in that place, and would wait for ever."""

    def stop(self, job: str, place: str) -> None:
        """Asks a running job to make a checkpoint and to leave, and not to start again before `start`. Does not wait."""

    def ship(self, job: str, place: str) -> None:
        """Sees to it that the checkpoint of a stopped job is where it will start; nothing where all hosts share a file system."""

    def place(self, job: str, place: str) -> None:
        """Says where a stopped job may start."""

    def start(self, job: str) -> None:
        """A stopped job may start, as soon as there is room."""


def migrate(
    scheduler: Scheduler, job: str, to: str, *, events: Events, cancel: Cancel, timeout: float = 300.0
) -> None:
    """Moves a job to another place. One that has stopped for an earlier call, which was cut off, goes on from there.

    `timeout`: seconds until it must have left. Raises `TransprocError`; what it says of the job is true then.
    """
    if not any(to in host.places for host in scheduler.hosts()):
        known = sorted({place for host in scheduler.hosts() for place in host.places})
        raise TransprocError(f"{to}: no such place", hint=f"there are {', '.join(known)}")
    found = scheduler.look(job)
    if not found.stopped and found.place == to and found.host:
        raise TransprocError(f"job {job}: runs in {to} already, on {found.host}")
    scheduler.check(job, to)
    if not found.stopped:
        with events.step(f"stop {job}" + (f" on {found.host}" if found.host else "")):
            scheduler.stop(job, to)
            _await(scheduler, job, cancel, timeout)
    try:
        with events.step(f"ship {job}"):
            scheduler.ship(job, to)
        with events.step(f"place {job} in {to}"):
            scheduler.place(job, to)
    except TransprocError as error:
        _go_back(scheduler, job, found.place, error)
    with events.step(f"start {job}"):
        scheduler.start(job)


def _go_back(scheduler: Scheduler, job: str, place: str, error: TransprocError) -> NoReturn:
    """A job may be refused where it is to go, by account or by what it asks for: that is known only when it has left."""
    try:
        scheduler.place(job, place)
        scheduler.start(job)
    except TransprocError as second:
        raise TransprocError(
            f"{error.message}; job {job} has left {place}, and waits: {second.message}",
            hint="the same command again, to any place, lets it go on",
        ) from error
    raise TransprocError(f"{error.message}; job {job} goes on in {place}", hint=error.hint) from error


def _await(scheduler: Scheduler, job: str, cancel: Cancel, timeout: float) -> None:
    until = time.monotonic() + timeout
    while not scheduler.look(job).stopped:
        cancel.check()
        if time.monotonic() > until:
            raise TransprocError(
                f"job {job}: has not left within {timeout:g} s, and may still do so",
                hint="its own output says why; the same command again waits for it, and lets it start",
            )
        time.sleep(LOOK_SECONDS)

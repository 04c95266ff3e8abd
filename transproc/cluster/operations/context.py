# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What every operation needs: the records, the ways to the nodes, who is told, and who may call it off."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Never, Protocol

from transproc.cluster.events import Cancel, Events, Token
from transproc.cluster.fleet import NodeState
from transproc.cluster.job import Job, State
from transproc.cluster.move import Move, Transform
from transproc.cluster.place import Place
from transproc.cluster.start import address_of
from transproc.cluster.store import JobStore, Result
from transproc.cluster.watch import refresh
from transproc.errors import StoreError, TransprocError, cause_of


class Places(Protocol):
    """The way from a job to its place on a node, by default on the one that holds it. Raises `NodeError` for unknown ones."""

    def __call__(self, job: Job, name: str | None = None) -> Place:
        """Nothing is connected yet."""


def _nothing() -> Sequence[Never]:
    return ()


@dataclass(frozen=True)
class Context:
    """`nodes`: the names of all nodes there are; `fleet`: what is known of them now, for which they are asked; `transform`: the
    transformation of images. `user`: whom jobs run as of which nothing else is said, or `starter` where the node knows that name.
    """

    store: JobStore
    places: Places
    transform: Transform
    events: Events
    cancel: Cancel = field(default_factory=Token)
    nodes: Callable[[], Sequence[str]] = _nothing
    fleet: Callable[[], Sequence[NodeState]] = _nothing
    user: str | None = None
    starter: str | None = None

    def move(self, job: Job, target: str | None = None) -> Move:
        """The steps for a job. Raises `TransprocError` if it is on the target already."""
        other = self.places(job, target) if target else None
        return Move(self.store, job, self.places(job), other, transform=self.transform)

    def address(self, job: Job, where: str | None) -> int | None:
        """The address that a user names, in the binary that the job's node executes. Raises `TransprocError`."""
        if where is None:
            return None
        isa = self.places(job).node.isa
        return address_of(self.store.pair(job.name) / f"{job.program}.{isa}", where)

    def current(self, name: str) -> Job:
        """A job's record, after a look at whether it has ended. The lock is held."""
        job = self.store.load(name)
        return refresh(self.store, job, self.places(job), locked=True)

    @contextmanager
    def attempt(self, job: Job, kind: str, target: str | None = None) -> Iterator[None]:
        """Recorded as begun until it has ended; what is raised inside has left things in order."""
        number = self.store.begin(job, kind, target)
        try:
            yield
        except BaseException as error:
            self.note_cause(number, error)
            self._settle(number, Result.UNDONE, getattr(error, "message", repr(error)))
            raise
        self._settle(number, Result.DONE)

    def take(self, attempt: int, number: int, name: str, action: Callable[[], str]) -> None:
        """A step of an attempt: recorded before it is taken, shown while it is, recorded with its time when it has ended well."""
        self.store.step(attempt, number, name)
        with self.events.step(name) as step:
            step.detail = action()
        self.store.step_done(attempt, number, round(step.seconds, 4), step.detail)

    def note_cause(self, attempt: int, error: BaseException) -> None:
        """Records why the step under way has failed. If that cannot be, the end is tried all the same, and says so."""
        with contextlib.suppress(StoreError):
            self.store.step_failed(attempt, cause_of(error))

    def _settle(self, number: int, result: Result, outcome: str = "") -> None:
        try:
            self.store.settle(number, result, outcome)
        except StoreError as error:  # `recover` finds the same
            self.events.note(error.message)

    def expect_settled(self, job: Job) -> None:
        """Raises `TransprocError` if a command was cut off in the middle of something with this job."""
        attempt = self.store.unsettled(job)
        if attempt or job.state is State.STARTING:
            what = attempt.kind if attempt else "run"
            raise TransprocError(
                f"job {job.name}: a command was cut off ({what}), and what it began is not settled",
                hint=f"'transproc recover {job.name}' finishes it or takes it back",
            )

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job between two nodes, its record, and how what was begun is finished or taken back.

Two copies of a process never run: the source is continued only after the target's copy is known to be gone or never to have run.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from pathlib import Path

from transproc.cluster import transfer
from transproc.cluster.events import Events
from transproc.cluster.job import Hop, Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.paging import Paging
from transproc.cluster.place import Place
from transproc.cluster.store import JobStore, Result
from transproc.errors import MismatchError, StoreError, TransprocError


class Settling:
    """A job, the node that holds it, and (from `prepare` on) the node that it goes to."""

    def __init__(
        self, store: JobStore, job: Job, source: Place, target: Place | None, paging: Paging
    ) -> None:
        """Raises `TransprocError` if source and target are the same node."""
        if target is not None and target.node.name == source.node.name:
            raise TransprocError(f"job {job.name}: is on node {source.node.name} already")
        self.store = store
        self.job = job
        self.source = source
        self.paging = paging
        """How memory goes that is not in the image."""
        self.unrecorded: StoreError | None = None
        """Set to why the record could not be written; while things are put in order that stops nothing."""
        self._target = target
        self._undoing = False
        self._data: Future[int] | None = None
        """The job's files, on their way."""
        self._images: Path | None = None
        """`dump/` and `image/` on the host, if not where they usually are."""

    @property
    def target(self) -> Place:
        """Where the job goes; raises `TransprocError` before that is known."""
        if self._target is None:
            raise TransprocError(f"job {self.job.name}: no target node")
        return self._target

    def undo(self) -> None:
        """From here on things are put in order: a store that cannot be written is noted in `unrecorded`, and stops nothing."""
        self._undoing = True

    def recorded(self) -> bool:
        """Whether the record says what is so; one that could not be written is tried again: there may be room now.

        If not, what was begun must stay unsettled, or `recover` would believe the record.
        """
        if self.unrecorded is not None:
            try:
                self.store.save(self.job)
            except StoreError as error:
                self.unrecorded = error
            else:
                self.unrecorded = None
        return self.unrecorded is None

    def record_end(self, attempt: int, result: Result, outcome: str, hop: Hop | None, events: Events) -> None:
        """Records the end of an attempt. A store that cannot be written changes nothing any more of what has happened;
        `recover` finds it out again.
        """
        if not self.recorded():
            return
        try:
            self.store.settle(attempt, result, outcome, hop)
        except StoreError as error:
            events.note(error.message)
            self.unrecorded = error

    def abandon_target(self, *, never_ran: bool) -> str | None:
        """Removes everything from the target, so that the source can go on; returns why something stays there, or None.

        A copy that was certainly never let go is no program yet, whatever its state (criu may have been killed in the middle of
        its restore); if it cannot be removed it stays, recorded. Any other must be known to be gone: raises `MismatchError` if
        it runs, for then it is the job, and `TransprocError` if the node does not answer, or cannot end it.
        """
        self.settle()
        self.paging.close()
        left, restored = None, self.job.state is State.RESTORED
        if self.job.target is None:
            return None  # nothing is there yet
        if restored and not never_ran and self.target.liveness(self.job.pid) is Liveness.RUNNING:
            raise MismatchError(f"job {self.job.name}: runs on {self.target.node.name} already")
        try:
            self.target.become_quiet(0)
            self.target.end()
        except TransprocError as error:
            if restored and not never_ran:
                raise
            left = error.message
            if self.job.target not in self.job.leftovers:
                self.job.leftovers.append(self.job.target)
        self.job.target = self.job.owed_by = None
        if self.job.state in (State.SHIPPED, State.RESTORED):
            self.job.state = State.TRANSFORMED
        self._save()
        return left

    def resume_source(self) -> None:
        """The source goes on, as if nothing had been.

        After a lost connection criu may still be at work there: it would stop the process again at its end.
        """
        self.source.become_quiet()
        self.source.drop_pages()  # a disk that they have filled is none for the program
        self.source.resume(self.job.pid, undone=True)
        self._record(State.RUNNING)
        self._forget_images(self.source)

    def keep(self, state: State) -> None:
        """Records that the source stays as it is."""
        self._record(state)
        if state is State.PAUSED:
            self._forget_images(self.source)

    def has_ended(self, status: str) -> None:
        """Records the program's end on the source; what it has started and left there, stopped by us, goes on."""
        self.job.exit, self.job.target = status, None
        self._record(State.EXITED)
        with contextlib.suppress(TransprocError):
            for pid in self.source.found():
                self.source.resume(pid)

    def settle(self) -> None:
        """Waits for the transfer in the background, whatever comes of it, and ends a criu that waits."""
        for place in (self.source, self._target):
            if place is not None:
                place.drop_ahead()
        if self._data is not None and not self._data.cancel():
            self._data.exception()
        self._data = None

    @property
    def images(self) -> Path:
        """`dump/` and `image/` on the host."""
        return self._images or transfer.images(self.store, self.job)

    def _forget_images(self, place: Place, *, keep: bool = False) -> None:
        """Here, unless they are to be kept, and on a node: what stays on one that does not answer, `recover` removes."""
        if not keep:
            self.store.forget_images(self.job.name)
        with contextlib.suppress(TransprocError):
            place.forget_images()

    def _clear_leftover(self) -> None:
        """An earlier migration could not end the copy that it left on the target."""
        self.target.become_quiet(0)
        self.target.end()
        self._forget_leftover(self.target.node.name)

    def _forget_leftover(self, node: str) -> None:
        self.job.leftovers.remove(node)
        self._save(at_once=False)  # who looks for it again finds nothing

    def _record(self, state: State, *, at_once: bool = True) -> None:
        self.job.state = state
        self._save(at_once=at_once)

    def _save(self, *, at_once: bool = True) -> None:
        try:
            self.store.save(self.job, at_once=at_once)
        except StoreError as error:
            self.unrecorded = error
            if not self._undoing:
                raise

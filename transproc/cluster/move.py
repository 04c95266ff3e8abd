# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The steps of a migration, one by one, each recorded: what `transproc pause`, `dump`, `transform`, `restore` and `resume` do.

`migration.py` strings them together as one transaction. Two copies of a process never run: the source stays stopped
from the pause on, and is continued only after the target's copy is known to be gone or never to have run.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from transproc.binary.pair import PairStore
from transproc.cluster import parcel, preflight, transfer
from transproc.cluster.events import Cancel
from transproc.cluster.job import Job, State
from transproc.cluster.link import Link
from transproc.cluster.paging import TELL_SECONDS, list_owed
from transproc.cluster.place import RECORD_SECONDS, PauseRequest, Place
from transproc.cluster.preparing import Preparing
from transproc.cluster.restored import restore, verify
from transproc.cluster.store import JobStore
from transproc.cluster.watch import record_end
from transproc.errors import (
    AbsentPagesError,
    PauseError,
    TransprocError,
    UnsupportedError,
)
from transproc.images import counts, owed
from transproc.images.directory import ImageDirectory
from transproc.process.answers import Pause
from transproc.process.criu import Options
from transproc.text import human, plural

Told = Callable[[int, int], None]
"""Hears how far a step is: bytes that are done, and all bytes, as far as that is known."""


def _nobody(done: int, total: int) -> None:
    pass


class Report(Protocol):
    """What a transformation tells."""

    threads: int
    frames: int
    values: int


def counted(report: Report, *, same: bool) -> str:
    """What was transformed, in words; `same`: for the ISA that the image was of."""
    if same:
        return "same ISA: as dumped"
    counts = {"thread": report.threads, "frame": report.frames, "value": report.values}
    return ", ".join(plural(count, word) for word, count in counts.items())


class Transform(Protocol):
    """`transproc.transform.pipeline.carry`."""

    def __call__(self, source: Path, target: Path, *, pairs: PairStore, to: str) -> Report:
        """Writes `target` as the image of `source` for the ISA `to`."""


class Move(Preparing):
    """The steps of a migration of a job."""

    def __init__(
        self,
        store: JobStore,
        job: Job,
        source: Place,
        target: Place | None = None,
        *,
        transform: Transform,
        options: Options | None = None,
    ) -> None:
        """Raises `TransprocError` if source and target are the same node."""
        options = options or Options()
        super().__init__(store, job, source, target, options)
        self.went_on = 0.0
        """When the target's copy was let go (`time.perf_counter`)."""
        self.watched = 0.0
        """Seconds of the pause's step in which the program still ran."""
        self._apart = True
        """See `Pause`; of one that was paused before, nobody says it."""
        self._told = False
        self._passes = options.withhold
        """Images that may lack memory are not for anybody else: they need not outlive this command."""
        self._transform = transform
        self._small = False
        """The image holds little: it goes in one piece, not as a stream."""
        self._dump_sent = False

    @property
    def bytes_sent(self) -> int:
        """To the target, by all ways that have ended."""
        return self._sent + self.paging.bytes

    def pause(self, request: PauseRequest) -> str:
        """Stops the process at equivalence points; on failure it runs on, unless no answer has come: then it may be stopped."""
        try:
            watch = self.options.withhold and self.memory >= preflight.WATCHED
            stopped = self.source.pause(self.job.pid, replace(request, watch=watch))
            self._told = watch
        except (PauseError, UnsupportedError):
            raise
        except BaseException:
            self.job.state = State.PAUSED  # recorded is that it was begun
            raise
        self.watched = stopped.watched / 1000
        self._apart = stopped.apart
        self.paging.program_stands()
        self._record(State.PAUSED, at_once=False)
        return describe(stopped)

    def dump(self) -> str:
        """Writes the image on the source, where the process stays stopped; its files set off to the target.

        They wait for that if criu is to give some of them names, or makes a directory among them, and set off again if it had to.
        """
        if self._target is not None and not self.options.link_remap and not self._apart:
            self._data = self._pool.submit(self.files.send)
        options = self.source.criu_dump(self.job.pid, self.options, watched=self._told)
        if options.link_remap and self._data is not None:
            wait([self._data])
            self._data = None
        self.options = options
        return ""

    def fetch(self, told: Told = _nobody) -> str:
        """Brings the image to the host, and to the target in the same stream."""
        self.store.forget_images(self.job.name)
        self._small = 0 < self.memory <= parcel.LARGEST and not self.options.withhold
        self._images = self.store.passing(self.job.name) if self._passes and self._small else None
        if self._small and (count := transfer.fetch_small_dump(self.images / "dump", self.source)):
            self._dump_sent = False
        else:
            self._small, self._images = False, None
            count = transfer.fetch_dump(
                self.images / "dump",
                self.source,
                self._target,
                lambda count: told(count, max(count, 0 if self.options.withhold else self.memory)),
            )
            self._dump_sent = self._target is not None
        for name in counts.say_twice(self.images / "dump"):
            if self._dump_sent:
                data = (self.images / "dump" / name).read_bytes()
                self.target.node.put_bytes(data, f"{self.target.images}/dump/{name}", mode=0o600)
        if self.options.withhold:
            owed.mark(ImageDirectory(self.images / "dump"))
        self._sent += count if self._dump_sent else 0
        self._record(State.DUMPED, at_once=False)
        return human(count)

    def transform(self, isa: str) -> str:
        """Makes the image for a node of that ISA, on the host."""
        images = self.images
        while True:
            remove(images / "image")
            try:
                report = self._transform(images / "dump", images / "image", pairs=self._pairs, to=isa)
                break
            except AbsentPagesError as error:
                if not self.options.withhold:
                    raise
                self.paging.fill(ImageDirectory(images / "dump"), error)
                self._dump_sent = False  # what was sent does not have them
        detail = counted(report, same=isa == self.source.node.isa)
        if self.options.withhold:
            detail += f"; {human(list_owed(ImageDirectory(images / 'image')))} follow"
        self.job.image = isa
        self._record(State.TRANSFORMED, at_once=False)
        return detail

    def ship(self, told: Told = _nobody) -> str:
        """Sends the image, and sees that the job's files have arrived."""
        count = transfer.ship_images(
            self.images, self.target, with_dump=not self._dump_sent, small=self._small
        )
        if self._data is None:
            self._data = self._pool.submit(self.files.send)
        while not wait([self._data], TELL_SECONDS).done:
            told(self.files.passed, max(self.files.passed, self.files.size))
        count += self._data.result()
        self._sent += count
        return human(count)

    def restore(self) -> str:
        """Restores the process on the target, stopped. Recorded first: a copy may exist from here on."""
        self.job.owed_by = self.source.node.name if self.options.follows else None
        self._record(State.RESTORED)
        if self.options.withhold:
            held = self.options.precopy and not self.options.lazy
            self.paging.borrow(follows=self.options.follows, held=held)
        return restore(self.target, self.options)

    def verify(self) -> str:
        """As `verify`, on the target."""
        return verify(self.target)

    def commit(self, *, stay_paused: bool = False) -> str:
        """Lets the target's copy run: from here on it is the job."""
        if not stay_paused:
            self.target.resume(self.job.pid)
            self.went_on = time.perf_counter()
        self.adopt(State.PAUSED if stay_paused else State.RUNNING)
        return self.job.owes

    def adopt(self, state: State = State.RUNNING) -> None:
        """Records that the target holds the job, and the source a stopped copy: it must go, when it has given what it owes."""
        if self.job.owed_by:
            state = State.OWING
        if self.job.node != self.target.node.name:
            if not self.job.owed_by:
                self.job.leftovers.append(self.job.node)
            self.job.node, self.job.target = self.target.node.name, None
            self.job.moves += 1
        self._record(state)

    def bring_pages(self, cancel: Cancel) -> Iterator[Link]:
        """Until the last page that the source holds has come: see `Paging.bring`. Until that is recorded the job is OWING; then
        the source has a mere copy.
        """
        goes_on = self.options.follows or self.job.state is State.OWING
        yield from self.paging.bring(cancel, follows=goes_on)
        if self.job.owed_by:
            self.job.leftovers.append(self.job.owed_by)
            self.job.owed_by = None
            self._record(State.RUNNING)

    def has_ended_owed(self) -> bool:
        """Whether the program has ended on the target before all of its memory was there: then the source's copy goes, too."""
        with contextlib.suppress(TransprocError):
            if status := self.target.ended(self.job.pid, RECORD_SECONDS):
                record_end(self.store, self.job, status)
                self.retire()
        return self.job.state is State.EXITED

    def retire(self, *, keep: bool = False) -> str:
        """Kills the source's copy and removes its directory; a failure leaves it stopped, and recorded.

        The images, which are memory, go as well; with `keep` those on this host stay.
        """
        self.paging.drop_direct()
        forgetting = self._pool.submit(self._forget_images, self.target, keep=keep)
        try:
            self.source.retire(self.job.pid)
        except TransprocError as error:
            return f"a stopped copy stays on {self.source.node.name}: {error.message}"
        self._forget_leftover(self.source.node.name)
        forgetting.result()
        return ""


def describe(stopped: Pause) -> str:
    """One line about a pause."""
    blocked = sum(thread.state == "call" for thread in stopped.threads)
    return plural(len(stopped.threads), "thread") + (f", {blocked} in system calls" if blocked else "")


def remove(path: Path) -> None:
    """A directory or a link to one."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)

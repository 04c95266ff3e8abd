# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The steps of a migration in which the program still runs: what it needs is looked at, and goes ahead."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property

from transproc.binary import processor
from transproc.binary.elf import Elf
from transproc.binary.pair import PairStore
from transproc.cluster import parcel, preflight, transfer
from transproc.cluster.events import Cancel
from transproc.cluster.files import SMALL, JobFiles
from transproc.cluster.job import Job, State
from transproc.cluster.link import Copying
from transproc.cluster.look import Liveness, Look
from transproc.cluster.node import Node
from transproc.cluster.paging import Paging
from transproc.cluster.place import Place
from transproc.cluster.settling import Settling
from transproc.cluster.store import JobStore
from transproc.errors import PauseError, TransprocError, UnsupportedError
from transproc.process.criu import Options
from transproc.text import human

LONG_SECONDS = 1.0
"""If the last round of a pre-copy took longer, as the one in the pause would, the program goes on before that has ended, where
nothing else was asked for."""


class Preparing(Settling):
    """Whatever fails here, the program runs on."""

    def __init__(
        self, store: JobStore, job: Job, source: Place, target: Place | None, options: Options
    ) -> None:
        """Raises `TransprocError` if source and target are the same node."""
        super().__init__(store, job, source, target, Paging(job, source, target, rate=options.rate))
        self.memory = 0
        """Bytes that an image would have held at the preflight."""
        self.options = replace(options, connections=bool(job.addresses) and not options.tcp_close)
        self.large_files = False
        """Whether the job's files are to go ahead, if it runs."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="transproc-data")
        self._pairs = PairStore([store.pair(job.name)])
        self._sent = 0

    @cached_property
    def files(self) -> JobFiles:
        """The job's, on their way to the target."""
        return JobFiles(self.source, self.target)

    def preflight(self) -> str:
        """Refuses what can be known to fail, before the process is touched."""
        self._check_image()
        look = self._look()
        self.memory = sum(view.memory for view in look.views)
        if self.memory > parcel.LARGEST:
            self._open_ahead()
        if self.target.node.name in self.job.leftovers:
            self._clear_leftover()
        self._check(look)
        return f"{self.source.node.isa} → {self.target.node.isa}"

    def examine(self) -> int:
        """As `preflight`, but nothing at all is changed on either node; returns the bytes of memory that an image would hold."""
        look = self._look()
        if self.target.node.name in self.job.leftovers:
            raise TransprocError(
                f"node {self.target.node.name}: may hold a stopped copy of job {self.job.name} of an earlier migration",
                hint=f"'transproc recover {self.job.name}' removes it",
            )
        self._check(look)
        return sum(view.memory for view in look.views)

    def _look(self) -> Look:
        """At both nodes, at the same time, and at their criu and tar."""
        with ThreadPoolExecutor(5, thread_name_prefix="transproc-look") as pool:
            criu = [pool.submit(place.check_criu) for place in (self.source, self.target)]
            for place in (self.source, self.target):
                pool.submit(lambda node: node.gnu_tar, place.node)  # it is needed soon
            room = pool.submit(lambda: self.target.room)
            look = self.source.look(self.job.pid)
            room.result()
        for version in criu:
            version.exception()  # the preflight tells it, in its turn
        if look.liveness is Liveness.GONE:
            raise PauseError(f"job {self.job.name}: has ended", pid=self.job.pid, ended=True)
        return look

    def _open_ahead(self) -> None:
        """Channels for a stream, which is certain to come if nothing forbids the migration: `prepare` waits for them."""

        def spare(node: Node) -> None:
            with contextlib.suppress(TransprocError):  # who needs them hears it
                node.spare(1)

        for place in (self.source, self.target):
            threading.Thread(target=spare, args=[place.node], daemon=True).start()

    def _check(self, look: Look) -> None:
        binary = transfer.binary(self.store, self.job, self.target.node.isa)
        processor.check(Elf(binary), self.target.node.name, self.target.room.cpu)
        self.options = preflight.check(self.job, self.source, look, self.target, self.options)

    def _check_image(self) -> None:
        """An image that was made by hand may be for another ISA than the node's: criu would only fail there."""
        made = self.job.image if self.job.state in (State.TRANSFORMED, State.SHIPPED) else ""
        isa = self.target.node.isa
        if made and made != isa:
            raise UnsupportedError(
                f"node {self.target.node.name}: is of ISA {isa}, but the image of job {self.job.name} was made for {made}",
                hint=f"'transproc transform {self.job.name} --to {isa}' makes one for this node",
            )

    def prepare(self) -> str:
        """Makes the job's directory on the target and sends the target's binary; the process runs meanwhile.

        Recorded first: from here on the target may hold something of the job.
        """
        path = transfer.binary(self.store, self.job, self.target.node.isa)
        self.job.target = self.target.node.name
        self._save()
        source = self._pool.submit(self._prepare_source)
        self.target.prepare(path)
        if self.options.withhold:
            self.target.make_images()
        source.result()
        ready = self._pool.submit(self.source.get_ready, self._channels)
        self.target.get_ready(self._channels)
        ready.result()
        way = self.paging.connect(self.memory) if self.options.withhold else ""
        return human(path.stat().st_size) + (f", {way}" if way else "")

    def start_criu(self) -> None:
        """On both nodes, so that it is there when it is needed; `settle` ends what was not needed."""
        if self.options.withhold or not self.source.goes_ahead:
            return
        self.source.dump_ahead(self.job.pid, self.options)
        self.target.restore_ahead(self.options)
        for place in (self.source, self.target):
            place.expect_ahead()

    def _prepare_source(self) -> None:
        with contextlib.suppress(
            TransprocError
        ):  # to be at hand; what is wrong with them is said where they are needed
            self._pairs.find(Elf(transfer.binary(self.store, self.job, self.source.node.isa)).build_id)
        self.source.make_images()
        self.large_files = self.files.are_large()

    @property
    def _channels(self) -> int:
        """That will be needed when the program stands: what is small goes without."""
        image = self.memory > parcel.LARGEST or self.options.withhold
        files = (self.files.size > SMALL) + self.large_files
        return image + files + self.options.withhold + self.options.precopy

    def send_files(self, told: Callable[[int], None]) -> int:
        """Sends the job's files while the program runs; `told`: as `JobFiles.send_ahead` has it. Returns the bytes."""
        count = self.files.send_ahead(told)
        self._sent += count
        for place in (self.source, self.target):
            place.get_ready(self._channels)  # one was used up
        return count

    def copy_ahead(self, cancel: Cancel) -> Iterator[Copying]:
        """Sends the memory while the program runs: now and then how far it is."""
        yield from self.paging.copy_ahead(cancel)
        if self.options.choose and self.paging.round_took > LONG_SECONDS:
            self.options = replace(self.options, lazy=True)

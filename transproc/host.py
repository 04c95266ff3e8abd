# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""This host as whoever manages jobs from it sees it: its records, and the ways to all nodes there are.

The command line has one for each command, a service has one for as long as it runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from transproc import paths
from transproc.cluster import facts
from transproc.cluster import node as registry
from transproc.cluster.beside import beside
from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.cluster.fleet import NodeState, count
from transproc.cluster.history import Reader
from transproc.cluster.node import LOCAL, Node
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError

if TYPE_CHECKING:
    from transproc.cluster.events import Cancel, Events
    from transproc.cluster.job import Job
    from transproc.cluster.operations import Context
    from transproc.cluster.place import Place


class Host:
    """`store`: its records, by default those of the state directory. Methods may be called from several threads at once."""

    def __init__(self, store: JobStore | None = None) -> None:
        self._store = store
        self._mutex = threading.Lock()
        self._nodes: dict[str, Node] = {}
        self._stamp: Sequence[object] = ()
        self._reader: Reader | None = None
        self._asked: set[str] = set()
        self._criu: Callable[[], Sequence[str]] | None = None
        self._failed: dict[str, TransprocError] = {}

    @property
    def store(self) -> JobStore:
        """The records; opened when they are first needed."""
        with self._mutex:
            if self._store is None:
                self._store = JobStore()
            return self._store

    @property
    def reader(self) -> Reader:
        """Of the records; it reads again only what has changed."""
        path = self.store.path
        with self._mutex:
            if self._reader is None:
                self._reader = Reader(path)
            return self._reader

    def node(self, name: str) -> Node:
        """The node of that name: the same one as long as nodes.toml says the same of it, so that its connections are shared.

        Raises `NodeError`.
        """
        with self._mutex:
            self._read()
            if name not in self._nodes:
                raise registry.unknown(name, self._nodes)
            return self._nodes[name]

    def names(self) -> Sequence[str]:
        """All nodes there are at this moment."""
        with self._mutex:
            self._read()
            return list(self._nodes)

    def description(self, name: str) -> Description:
        """What its owner says of a node: labels, capacity, price. Raises `NodeError`."""
        return self.node(name).description

    def facts(self, name: str, *, timeout: float = facts.ANSWER_SECONDS) -> Facts:
        """What a node is and does now: ISA, load, memory. Raises `NodeError`, `FormatError`."""
        # the lab's criu is not made for a mere look
        made = name == LOCAL and any((paths.home() / "lab" / "images").glob("*/*/root"))
        return facts.ask(self.node(name), criu=self._local_criu() if made else ("criu",), timeout=timeout)

    def survey(
        self, names: Sequence[str] | None = None, *, deadline: float = 1.0
    ) -> dict[str, Facts | TransprocError]:
        """The facts of all nodes, or of these, that have answered within so many seconds; or why they cannot.

        Who is not in it has not answered yet: one that is slow is not asked again until it has.
        """
        wanted = self.names() if names is None else names
        with self._mutex:
            questions = {name: partial(self._ask, name) for name in wanted if name not in self._asked}
            failed = {
                name: self._failed[name] for name in wanted if name in self._asked & self._failed.keys()
            }
            self._asked |= questions.keys()
        return failed | beside(questions, deadline)

    def _ask(self, name: str) -> Facts:
        """For `survey`: how it was with a node the last time is remembered."""
        try:
            found = self.facts(name)
        except TransprocError as error:
            self._failed[name] = error
            raise
        else:
            self._failed.pop(name, None)
            return found
        finally:
            with self._mutex:
                self._asked.discard(name)

    def fleet(self, *, deadline: float = 5.0) -> list[NodeState]:
        """All nodes, with what is known of them within so many seconds."""
        found = self.survey(deadline=deadline)
        jobs = count(listed.job for listed in self.reader.jobs() if listed.job is not None)
        with self._mutex:
            described = {name: node.description for name, node in self._nodes.items()}
        return [
            NodeState(name, found.get(name), description, jobs[name])
            for name, description in described.items()
        ]

    def _read(self) -> None:
        """Looks whether the list of nodes has changed. One that is another machine now may be at work still: its connections
        are left alone, and end with this process.
        """
        stamp = [_stamp(path) for path in registry.files()]
        if stamp == self._stamp:
            return
        found = {node.name: node for node in registry.nodes()}
        for name, node in found.items():
            if (old := self._nodes.get(name)) and old.same(node):
                old.description, found[name] = node.description, old
        self._nodes, self._stamp = found, stamp

    def _local_criu(self) -> Sequence[str]:
        """Of this machine's own and the lab's the newest that works: Debian 12's does not start on current kernels."""
        from transproc.cluster import criu  # noqa: PLC0415
        from transproc.lab.rootfs import host_criu  # noqa: PLC0415 (only `local` needs it)

        node = self.node(LOCAL)
        own = [words for _, words in criu.candidates(node) if criu.works(node, words)][:1]
        if not own:
            return host_criu()
        lab = host_criu() if any((paths.home() / "lab" / "images").glob("*/*/root")) else own[0]
        return max(own[0], lab, key=lambda words: criu.version(node, words))

    def place(self, job: Job, name: str | None = None) -> Place:
        """The job's place on a node, by default the one that holds it. Raises `NodeError`."""
        from transproc.cluster.place import Place  # noqa: PLC0415 (connections are begun before it is there)

        where = self.node(name or job.node)
        if where.name != LOCAL:
            return Place(where, job)
        with self._mutex:
            self._criu = self._criu or cache(self._local_criu)
        return Place(where, job, criu_command=self._criu)

    def context(self, events: Events, cancel: Cancel) -> Context:
        """What operations need, for one caller: who hears of the steps, and who may call it off."""
        from transproc.cluster.operations import Context  # noqa: PLC0415 (as the next)
        from transproc.transform import pipeline  # noqa: PLC0415 (numpy and more: not needed to list jobs)

        return Context(
            self.store,
            self.place,
            pipeline.carry,
            events=events,
            cancel=cancel,
            nodes=self.names,
            fleet=self.fleet,
        )

    def close(self, patience: float = 2.0) -> None:
        """Ends the connections; questions of a survey that are under way are waited for, so many seconds."""
        until = time.monotonic() + patience
        while True:
            with self._mutex:
                nodes, self._nodes, self._stamp = list(self._nodes.values()), {}, ()
                waiting = bool(self._asked)
            for node in nodes:
                node.close()
            if not waiting or time.monotonic() > until:
                return
            time.sleep(0.02)


def _stamp(path: Path) -> object:
    """Changes when a file does."""
    try:
        found = path.stat()
    except OSError:
        return path, None
    return path, found.st_ino, found.st_size, found.st_mtime_ns

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""This host as whoever manages jobs from it sees it: its records, and the ways to all nodes there are.

The command line has one for each command, a service has one for as long as it runs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from transproc.cluster import node as registry
from transproc.cluster.events import Cancel, Events
from transproc.cluster.job import Job
from transproc.cluster.node import LOCAL, Node
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.store import JobStore


class Host:
    """`store`: its records, by default those of the state directory. Methods may be called from several threads at once."""

    def __init__(self, store: JobStore | None = None) -> None:
        self._store = store
        self._mutex = threading.Lock()
        self._nodes: dict[str, Node] = {}

    @property
    def store(self) -> JobStore:
        """The records; opened when they are first needed."""
        with self._mutex:
            if self._store is None:
                self._store = JobStore()
            return self._store

    def node(self, name: str) -> Node:
        """The node of that name, always the same one, so that its connections are shared. Raises `NodeError`."""
        with self._mutex:
            if name not in self._nodes:
                self._nodes[name] = registry.find_node(name)
            return self._nodes[name]

    def names(self) -> Sequence[str]:
        """All nodes there are at this moment."""
        return [node.name for node in registry.nodes()]

    def place(self, job: Job, name: str | None = None) -> Place:
        """The job's place on a node, by default the one that holds it. Raises `NodeError`."""
        where = self.node(name or job.node)
        if where.name != LOCAL:
            return Place(where, job)
        # this machine's own criu may be too old for its kernel, the lab's is not
        from transproc.lab.rootfs import host_criu  # noqa: PLC0415 (only `local` needs it)

        return Place(where, job, criu_command=host_criu)

    def context(self, events: Events, cancel: Cancel) -> Context:
        """What operations need, for one caller: who hears of the steps, and who may call it off."""
        from transproc.transform import pipeline  # noqa: PLC0415 (numpy and more: not needed to list jobs)

        return Context(self.store, self.place, pipeline.carry, events=events, cancel=cancel, nodes=self.names)

    def close(self) -> None:
        """Ends the connections."""
        with self._mutex:
            nodes, self._nodes = list(self._nodes.values()), {}
        for node in nodes:
            node.close()

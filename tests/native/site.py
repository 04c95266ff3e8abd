# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where faults strike: two nodes, `na` and `nb`, and what can be done to them. Native ones; guests: `tests/lab/guests.py`."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from tests.native import memory
from tests.native.faults import BORROWERS, BOTH, WATCHER, WORKER
from tests.native.nodes import NativeNodes
from tests.native.performing import nodes_of
from tests.native.processes import (
    borrowers,
    children,
    first_of,
    in_node,
    is_criu,
    is_tool,
    kill,
    serves_connection,
    supervises,
    words_of,
)
from transproc.cluster.node import DATA, SshNode
from transproc.errors import LabError

SEEN_SECONDS = 0.5
"""A step that needs criu, or the pause tool, has started it by then."""
FULL = "used=$(df -Pk $1 | sed -n '2s/^[^ ]* *[0-9]* *\\([0-9]*\\) .*/\\1/p'); mount -o remount,size=$((used + $2))k $1"
"""Words: a file system in memory, and how many kilobytes of it shall be free."""


class Site(Protocol):
    """Two nodes and their adversary. `nodes` are connected past the wires through which operations go."""

    configuration: Path
    ports: dict[str, int]
    nodes: dict[str, SshNode]

    def busy(self, node: str) -> list[str]:
        """What criu and the pause tool still do there, but for supervisors of programs."""

    def end_connections(self, node: str) -> None:
        """Kills the servers of all connections to it."""

    def kill_when_there(self, whom: str, delay: float) -> None:
        """`whom`: "criu" or "pause tool", on either node, or of `BORROWERS`, so many seconds after it is seen; nothing if it does
        not come.
        """

    def full(self, node: str, left: int) -> AbstractContextManager[None]:
        """Inside, so many kilobytes are free where jobs are."""

    def short(self, node: str) -> AbstractContextManager[None]:
        """Inside, its processes get hardly any more memory."""

    def years(self, node: str, count: int) -> AbstractContextManager[None]:
        """Inside, its clock is so many years ahead."""

    def reboot(self, node: str, *, wipe: bool) -> None:
        """Its processes are gone; with `wipe` its jobs' files as well."""


class NativeSite:
    """Native nodes as a `Site`: their processes are this machine's as well."""

    def __init__(self, machines: NativeNodes) -> None:
        self.machines = machines
        self.configuration = machines.configuration
        self.ports = {name: machine.port for name, machine in machines.machines.items()}
        self.nodes = nodes_of(machines.configuration)

    def busy(self, node: str) -> list[str]:
        """As `Site` says."""
        found = self._found(node, lambda words: is_criu(words) or is_tool(words))
        return [f"process {pid}: {words_of(pid)}" for pid in found]

    def end_connections(self, node: str) -> None:
        """As `Site` says."""
        for pid in self._found(node, serves_connection):
            kill(pid)

    def kill_when_there(self, whom: str, delay: float) -> None:
        """As `Site` says."""
        if whom in BORROWERS:
            self._kill_borrowers(whom, delay)
            return
        wanted = is_criu if whom == "criu" else is_tool
        until = time.monotonic() + SEEN_SECONDS
        while time.monotonic() < until:
            if pids := [pid for node in self.nodes for pid in self._found(node, wanted)]:
                pid = first_of(min(pids))
                if not wanted(words_of(pid).split(" ")):
                    continue  # it was about to become the program that is restored
                time.sleep(delay)
                kill(pid)
                return

    def _kill_borrowers(self, whom: str, delay: float) -> None:
        until = time.monotonic() + SEEN_SECONDS
        while not borrowers(self.machines, "nb") and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(delay)
        found = borrowers(self.machines, "nb")
        struck = {WATCHER: found[:1], WORKER: found[1:], BOTH: found}[whom]
        for number in (signal.SIGSTOP, signal.SIGKILL):  # both at once, not one after the other
            for pid in struck:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    @contextmanager
    def full(self, node: str, left: int) -> Iterator[None]:
        """As `Site` says."""
        self.nodes[node].run(["sh", "-c", FULL, "sh", str(DATA), str(left)])
        try:
            yield
        finally:
            self.nodes[node].run(["mount", "-o", "remount,size=256m", str(DATA)])

    @contextmanager
    def short(self, node: str) -> Iterator[None]:
        """As `Site` says."""
        found = self._found(node, lambda words: True, supervisors=True)
        with memory.short([pid for pid in found if pid not in self._own(node)]):
            yield

    def years(self, node: str, count: int) -> AbstractContextManager[None]:
        """Raises `LabError`: only this machine has a clock."""
        raise LabError(f"{node}: a native node has this machine's clock ({count} years)")

    def reboot(self, node: str, *, wipe: bool) -> None:
        """As `Site` says; its first process stays."""
        first = children(self.machines.machines[node].process.pid)[0]
        for pid in self._found(node, lambda words: True, supervisors=True):
            if pid != first:
                kill(pid)
        if wipe:
            shutil.rmtree(f"/proc/{first}/root{DATA}/jobs", ignore_errors=True)

    def _own(self, node: str) -> list[int]:
        """What makes it a node: its first process, and those by whose end that ends."""
        first = children(self.machines.machines[node].process.pid)[0]
        watching = [pid for pid in children(first) if "init.sh" in words_of(pid)]
        return [first, *watching, *(pid for one in watching for pid in children(one))]

    def _found(
        self, node: str, wanted: Callable[[list[str]], bool], *, supervisors: bool = False
    ) -> list[int]:
        """Processes of a node, by their command lines."""
        found = in_node(self.machines, node, wanted)
        return [pid for pid in found if supervisors or not supervises(Path(f"/proc/{pid}"))]

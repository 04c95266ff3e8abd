# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One job's place on one node: its directory there (`directory`), its process, and the programs that handle it."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import IO

from transproc.cluster import addresses, scripts
from transproc.cluster.dumps import Dumps
from transproc.cluster.look import Liveness, Look, Room, facts_of, liveness_of, room_of
from transproc.cluster.node import DATA
from transproc.errors import FormatError, TransprocError
from transproc.process import view
from transproc.process.answers import Pause, answer_of, status_of
from transproc.process.launch import Launch, Window
from transproc.process.runner import understood

_ENDED = re.compile(r"(status|signal) \d{1,3}")
RECORD_SECONDS = 10.0
"""From the end of a process until its supervisor has recorded it, at most."""
LOST = "lost"
"""The exit of a program that is gone, and nobody has recorded how it ended: its node was started again, for example."""


@dataclass(frozen=True)
class PauseRequest:
    """When to stop: as soon as possible, when `at` (an address) is reached, or at the `count`-th site; seconds.

    `quiet`: it is to be dumped, so the network that it may have of its own is unplugged before, when no connection is half made,
    unless it is to stop at a certain place. `run`: a paused tree first goes on for so long. The node itself sees to that: a round
    trip takes longer than many programs. `watch`: most of its memory is not dumped, and what is asked of that then is told
    while it runs.
    """

    at: int | None = None
    count: int | None = None
    timeout: float = 10.0
    run: float | None = None
    quiet: bool = False
    watch: bool = False


class Place(Dumps):
    """A job on a node. Each method raises `NodeError` if the node does not answer."""

    def expect_addresses(self, *, reached: bool) -> None:
        """Raises `TransprocError` unless the job can have its addresses here; see `addresses.free`. It takes 0.3 s."""
        if (network := self.network) is None:
            return
        bridge, found = self.tool.probe(network)
        with understood(f"node {self.node.name}"):
            answers = {str(ip_address(bytes.fromhex(address))): who for address, who in found}
        seen = addresses.Seen(bridge, answers)
        addresses.free(self.job, self.node.name, self.node.description.bridge, seen, reached=reached)

    def plug(self) -> None:
        """Lets the job be reached at its addresses, if it has any; nothing changes if it is."""
        if (network := self.network) is not None:
            self.tool.plug(self.job.pid, network)

    @cached_property
    def room(self) -> Room:
        """Asked once; what a node does not tell counts as plenty, and as usual."""
        words = self.tool.path, str(DATA), self.job.user
        text = self._shell(scripts.ROOM_FOR, *words).stdout if self.job.user else self.tool.room(str(DATA))
        with understood(f"node {self.node.name}"):
            return room_of(facts_of(text.decode(errors="replace")))

    def get_ready(self, channels: int = 2) -> None:
        """Learns and brings, while the process still runs, what would else be asked for in the downtime.

        `channels`: one for the images, one for the files, one for pages if they go by themselves.
        """
        _ = self.tool, self.node.gnu_tar
        self.node.spare(channels)

    def end(self) -> None:
        """Ends the job and all that is left of it here, and removes its directory: for what is the job's no longer."""
        for pid in self.found():
            self.tool.kill(pid, moved=self.directory, network=self.network)
        self.remove()

    def liveness(self, pid: int) -> Liveness:
        """Whether the process is there, is this job's, and is stopped."""
        return liveness_of(self._shell(scripts.STATE, str(pid), self.program).stdout.decode(errors="replace"))

    def look(self, pid: int) -> Look:
        """The tree, what /proc tells about it, and the room on the node; a process of another program counts as gone."""
        text = self.tool.look(pid, self.program, str(DATA))
        head, mark, rest = text.decode(errors="replace").partition("\n== ")
        with understood(f"node {self.node.name}"):
            facts = facts_of(head)
            processes = status_of(answer_of(facts["tree"]))
            return Look(room_of(facts), liveness_of(facts["state"]), processes, view.parse(mark + rest))

    def taken(self, ids: Sequence[int]) -> list[int]:
        """Which of these ids are in use on the node."""
        done = self._shell(scripts.TAKEN, *map(str, ids))
        with understood(f"node {self.node.name}"):
            return [int(word) for word in done.stdout.split()]

    def start(self, arguments: Sequence[str], env: Mapping[str, str], window: Window) -> int:
        """Starts the program in its directory; returns its pid. `window`: the size of its terminal, if it has one."""
        self._spread_ids()
        return self.tool.start(self._launch(arguments, env, window))

    def start_paused(
        self, arguments: Sequence[str], env: Mapping[str, str], window: Window, request: PauseRequest
    ) -> int:
        """Starts it traced from its first instruction, and stops it as `pause` does."""
        self._spread_ids()
        how = self._launch(arguments, env, window)
        return self.tool.start_paused(how, at=request.at, count=request.count, timeout=request.timeout).pid

    def pause(self, pid: int, request: PauseRequest) -> Pause:
        """Stops the tree at equivalence points; raises `PauseError` if it cannot, and the tree runs on."""
        at_once = request.at is request.count is None
        return self.tool.pause(
            pid,
            at=request.at,
            count=request.count,
            timeout=request.timeout,
            terminal=self._terminal,
            run=request.run,
            network=self.network if request.quiet and at_once else None,
            mappings=self.mappings if request.watch and at_once and not self.network else None,
        )

    def converse(self, pid: int, offset: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        """Copies `stdin` to the job's terminal, and what is printed there, from a byte offset on, to `stdout`.

        Returns when the process has ended or moved away, or `stdin` has ended; raises `CommandError` if there is no terminal.
        """
        if self._terminal is None:
            raise TransprocError(f"job {self.job.name}: has no terminal", hint="start it with --tty")
        self.node.pipe(self.tool.attach(pid, self._terminal, offset), stdin, stdout, stall=None)

    def resize(self, pid: int, window: Window) -> None:
        """Gives the job's terminal, if it has one, a size."""
        if self._terminal is not None:
            self.tool.resize(pid, self._terminal, window)

    def resume(self, pid: int, *, undone: bool = False) -> None:
        """Lets a stopped tree go on; `undone`: which may have been dumped, and stays here."""
        self.tool.resume(pid, self._files if undone else None, network=self.network)

    def kill(self, pid: int, *, moved: bool = False) -> None:
        """Ends the tree by SIGKILL. With `moved` that is not the job's end, and its exit is not recorded."""
        if self.liveness(pid) is not Liveness.GONE:
            self.tool.kill(pid, moved=self.directory if moved else None)

    def retire(self, pid: int) -> None:
        """Ends a stopped copy of a process that has moved away, and removes the directory, but perhaps for its files."""
        keep = "keep" if self.job.keeps_files and self.job.exit is None else ""
        words = [str(pid), self.program, self.tool.path, self.directory, self.job.id, keep]
        self._shell(scripts.RETIRE, *words)

    def exit_status(self, within: float = 0.0) -> str | None:
        """How the process ended: "status N" or "signal N"; None if it has not, or not so many seconds from now."""
        until = time.monotonic() + within
        while True:
            done = self._shell('if [ -e "$1/exit" ]; then cat "$1/exit"; fi', self.directory)
            status = done.stdout.decode(errors="replace").strip()
            if status and not _ENDED.fullmatch(status):
                raise FormatError(
                    f"node {self.node.name}: {self.directory}/exit: not an exit status: {status!r}"
                )
            if status or time.monotonic() >= until:
                return status or None
            time.sleep(0.05)

    def ended(self, pid: int, within: float = 0.0) -> str | None:
        """How a process has ended; None if it is there, and still is so many seconds from now."""
        until = time.monotonic() + within
        while self.liveness(pid) is not Liveness.GONE:
            if time.monotonic() >= until:
                return None
            time.sleep(0.05)
        return self.end_of_gone()

    def end_of_gone(self) -> str:
        """How a process that is gone has ended."""
        return self.exit_status(RECORD_SECONDS) or LOST

    def _spread_ids(self) -> None:
        """A process keeps its id when it moves, so it is started with one that is probably free on other nodes."""
        self._shell(scripts.SPREAD, str(secrets.randbelow(1 << 30)))

    def _launch(self, arguments: Sequence[str], env: Mapping[str, str], window: Window) -> Launch:
        streams = {name: f"{self.data}/{name}" for name in ("stdin", "stdout", "stderr")}
        argv = [self.program, *arguments]
        return Launch(
            argv,
            self.directory,
            f"{self.data}/work",
            streams,
            env=env,
            terminal=self._terminal,
            window=window,
            user=self._user,
            network=self.network,
        )

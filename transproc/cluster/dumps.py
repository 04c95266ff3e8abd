# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One job's images on one node: how criu makes them there, and how a process is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, cached_property, partial

from transproc.cluster import addresses, criu, pages, scripts
from transproc.cluster.directory import JobDirectory
from transproc.cluster.job import Job
from transproc.cluster.node import DATA, Node
from transproc.errors import CommandError, CriuError, UnsupportedError
from transproc.images import owed as owed_pages
from transproc.process.answers import ProcessState, Restored
from transproc.process.criu import (
    COPIES_LINKED,
    DUMP_LOG,
    LOAD_SECONDS,
    MINIMUM,
    NEEDS_LINKS,
    Ahead,
    Criu,
    Options,
)
from transproc.process.launch import Files, Terminal, User
from transproc.process.runner import understood
from transproc.text import dotted

DELIVERED = "delivered"
"""Beside the image, when all that was owed has come (runtime/tool/wire.c)."""
NOT_FOUND = 127
"""Status of a program that is not there."""


class Dumps(JobDirectory):
    """What criu does for a job on a node. Each method raises `NodeError` if the node does not answer."""

    def __init__(
        self, node: Node, job: Job, *, criu_command: Callable[[], Sequence[str]] | None = None
    ) -> None:
        """`criu_command`: how CRIU is started there; by default the newest that works is found out."""
        super().__init__(node, job)
        self.restored: Sequence[ProcessState] = ()
        """What the last restore has left, as it was at its end."""
        self._criu_command = criu_command or partial(criu.command, node)
        self._ahead: Ahead | None = None

    @cached_property
    def criu(self) -> Criu:
        """CRIU on the node."""
        return Criu(self.node, self._criu_command())

    def check_criu(self) -> tuple[int, ...]:
        """Its version, asked once. Raises `UnsupportedError` if the node has no CRIU, or too old a one, `CommandError` if it does
        not start.
        """
        try:
            version = criu.version(self.node, self._criu_command())
        except CommandError as error:
            if error.status != NOT_FOUND:
                raise
            raise UnsupportedError(
                f"node {self.node.name}: has no criu, expected {dotted(MINIMUM)} or later",
                hint=f"'transproc nodes check {self.node.name} --bring-criu' puts one there; "
                f"'transproc doctor {self.node.name}' says how its system gets one, and what else it lacks",
            ) from error
        if version < MINIMUM:
            raise UnsupportedError(
                f"node {self.node.name}: criu is {dotted(version)}, expected {dotted(MINIMUM)} or later",
                hint=f"'transproc nodes check {self.node.name} --bring-criu' puts one there; "
                f"'transproc doctor {self.node.name}' says what else it lacks",
            )
        if self.network is not None:
            _ = self._has_tried_criu
        return version

    @cached_property
    def _has_tried_criu(self) -> bool:
        """What criu finds out of a kernel it keeps until the next boot; some of it by connections with itself, which do not come
        about in the network of a job that is unplugged (runtime/tool/network.c).
        """
        argv = [*self._criu_command(), "check", "--feature", "tcp_half_closed"]
        return not self.node.run(argv, check=False).returncode

    @property
    def network(self) -> str | None:
        """The job's own here, if it has addresses."""
        return addresses.network(self.job, self.node.description.bridge)

    @property
    def can_borrow(self) -> bool:
        """Whether pages can come to a process here after its restore: criu and the kernel have userfaultfd with events."""
        return _has_userfaultfd(self.node, tuple(self._criu_command()))

    def criu_dump(self, pid: int, options: Options, *, watched: bool = False) -> Options:
        """Writes the image of the stopped tree, which stays stopped. `make_images` comes first.

        `watched`: what `PauseRequest.watch` has told is there. Beside the image go a list of the files' inode numbers, as the
        program sees them, and the processor time used so far. Returns the options, with what it needs beyond what was seen
        while it ran: it may just have removed a name of a file.
        """
        try:
            self._dump(pid, options, watched)
        except CriuError as error:
            if options.link_remap or NEEDS_LINKS not in error.stderr:
                raise
            options = replace(options, link_remap=True)
            self._shell('rm -rf "$1" && mkdir "$1"', self.dump)
            self._dump(pid, options, watched)
        return options

    def dump_ahead(self, pid: int, options: Options) -> None:
        """Starts the criu of a dump (`criu_dump`) that follows when the program stands; see `goes_ahead`."""
        first = self.tool.before_dump(pid, self._files, self.job.moves, f"{self.dump}/clocks", ahead=True)
        self._ahead = self.criu.dump_ahead(self.dump, prefix=first, options=options)

    def restore_ahead(self, options: Options) -> None:
        """Starts the criu of a restore (`criu_restore`) that follows when the image is here; see `goes_ahead`."""
        self._ahead = self.criu.restore_ahead(
            self.tool,
            state=self.directory,
            files=self._files,
            moves=self.job.moves + 1,
            options=options,
            user=self._user,
        )

    @property
    def goes_ahead(self) -> bool:
        """Whether criu may be started before the program stands. Not where what criu works in is made of what the program has
        then: its terminal, and its own network.
        """
        made = self._terminal is not None or self.network is not None
        return not made and self.node.exists(f"{self.data}/shm/all")

    def expect_ahead(self) -> None:
        """Waits until that criu has loaded: where there are few processors, a program that stood would wait for it."""
        if self._ahead is not None:
            self._ahead.begun.ready(LOAD_SECONDS)

    def drop_ahead(self) -> None:
        """Ends a criu that waits."""
        if self._ahead is not None:
            self._ahead.begun.drop()
        self._ahead = None

    def _waiting(self) -> Ahead | None:
        """That criu, once; None if there is none, or it has ended."""
        ahead, self._ahead = self._ahead, None
        return ahead if ahead is not None and ahead.begun.waits else None

    def _dump(self, pid: int, options: Options, watched: bool) -> None:
        owed = f"{self.dump}/{owed_pages.FILE}" if options.withhold else None
        clocks = f"{self.dump}/clocks"
        mappings = self.mappings if watched else f"{self.images}/asked"
        first = self.tool.before_dump(
            pid,
            self._files,
            self.job.moves,
            clocks,
            terminal=self._terminal,
            owed=owed,
            mappings=mappings if options.withhold else None,
            network=self.network,
        )
        self.criu.dump(pid, self.dump, prefix=first, options=options, ahead=self._waiting())
        log = f"{self.dump}/{DUMP_LOG}"
        if (
            options.link_remap
            and not self._shell(scripts.CONTAINS, log, COPIES_LINKED, check=False).returncode
        ):
            raise UnsupportedError(
                f"node {self.node.name}: the program has opened a file whose name was removed, and that has another one; on an "
                "overlay file system it would become another file",
                hint=f"let {DATA} there be on a file system of its own",
            )

    def borrow(self, *, eager: bool, held: bool = False) -> None:
        """Makes ready for a restore from the transformed image whose pages are still to come: `link.Link` brings them."""
        self.tool.borrow(self.image, f"{self.image}/{owed_pages.FILE}", eager=eager, held=held)

    def has_all(self) -> bool:
        """Whether all pages have come to a process that was restored without them, and nobody brings it any more."""
        return self.node.exists(f"{self.image}/{DELIVERED}")

    def peek(self, pid: int, process: int, start: int, end: int) -> bytes:
        """Pages of a process of the stopped tree. Raises `CommandError` if they cannot be read."""
        argv, request = self.tool.lend(pid), pages.request(process, start, end)
        done = self.node.run(argv, stdin=request)
        with understood(f"node {self.node.name}"):
            return pages.answered(done.stdout, process, start, end)

    def criu_restore(self, options: Options | None = None) -> Restored:
        """Restores the tree from the transformed image, stopped. `options`: those of the dump."""
        moves = self.job.moves + 1
        found = self.criu.restore(
            self.tool,
            self.image,
            state=self.directory,
            files=self._files,
            moves=moves,
            terminal=self._terminal,
            options=options,
            user=self._user,
            network=self.network,
            ahead=self._waiting(),
        )
        self.restored = found.processes
        return found

    @property
    def mappings(self) -> str:
        """What is told of them before a pause."""
        return f"{self.images}/mappings"

    @property
    def _user(self) -> User | None:
        return User(self.job.uid, self.job.gid, tuple(self.job.groups)) if self.job.user else None

    @property
    def _files(self) -> Files:
        return Files(
            self.data,
            f"{self.dump}/identities",
            f"{self.dump}/attributes",
            f"{self.directory}/guard",
        )

    @property
    def _terminal(self) -> Terminal | None:
        return Terminal(f"{self.data}/stdout", f"{self.dump}/terminal") if self.job.terminal else None


@cache
def _has_userfaultfd(node: Node, command: tuple[str, ...]) -> bool:
    return not node.run([*command, "check", "--feature", "uffd-noncoop"], check=False).returncode

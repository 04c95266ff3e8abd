# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory of one migration, where it does not go in the image: ahead of the program (`Copying`), and after it (`Link`).

It goes straight from node to node where that pays (`Direct`), else through this host. What is under way is ended by `close`, or
piece by piece; what has come until then is on the target.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from transproc.cluster.direct import Direct
from transproc.cluster.events import Cancel
from transproc.cluster.job import Job
from transproc.cluster.link import Copying, Link, Outcome, Round, lost
from transproc.cluster.place import Place
from transproc.errors import AbsentPagesError, NodeError, TransprocError
from transproc.images import owed, runs
from transproc.images.directory import ImageDirectory
from transproc.images.files import create
from transproc.images.memory import Memory
from transproc.text import human

NEAR = 1 << 18
"""Bytes that are fetched at once if the transformation reads what was not dumped: frames lie beside each other."""
TELL_SECONDS = 0.2
RETRY_SECONDS = 0.5
PATIENCE_SECONDS = 30.0
PATIENCE_STOPPED = 5.0
"""How long a link is tried to be joined again on which nothing came; the second while the program stands."""
STRAIGHT = 256 << 20
"""Bytes of memory from which on the nodes are connected with each other: that takes some tenths of a second."""
FEW_BYTES = 1 << 20
LESS = 0.8
MOST_ROUNDS = 12


def enough(rounds: Sequence[Round]) -> bool:
    """Whether a further round of a pre-copy would bring nothing: in the last one little had changed, or hardly less than before;
    there are `MOST_ROUNDS` at most.
    """
    if len(rounds) < 2:
        return False
    last, before = rounds[-1].sent, rounds[-2].sent
    return last <= FEW_BYTES or last > LESS * before or len(rounds) == MOST_ROUNDS


class Paging:
    """A job's memory between the node that has it and another one."""

    def __init__(self, job: Job, source: Place, target: Place | None, *, rate: int | None = None) -> None:
        """`rate`: bytes per second at most, which pass through this host then. Without a target nothing can be carried."""
        self._job = job
        self._source = source
        self._place = target
        self._rate = rate
        self.bytes_ahead = 0
        """Before the program went on, in a copy that has ended."""
        self.bytes_followed = 0
        """After that, over links that have ended."""
        self.round_took = 0.0
        """Seconds, of the last round that went ahead."""
        self.lost = 0
        """Connections over which some memory had gone ahead: others went on."""
        self._link: Link | None = None
        self._copying: Copying | None = None
        self._direct: Direct | None = None

    @property
    def bytes(self) -> int:
        """That have gone by themselves, over ways that have ended."""
        return self.bytes_ahead + self.bytes_followed

    @property
    def _target(self) -> Place:
        if self._place is None:
            raise TransprocError(f"job {self._job.name}: no target node")
        return self._place

    def connect(self, memory: int) -> str:
        """The nodes with each other, for so many bytes; how they go, in words."""
        if memory < STRAIGHT or self._rate is not None:
            return "memory passes here"
        try:
            self._direct = Direct(self._source, self._target)
        except TransprocError as error:
            return f"memory passes here ({error.message.splitlines()[-1]})"
        return "memory goes straight"

    # --- ahead -------------------------------------------------------------------------------------------------

    def copy_ahead(self, cancel: Cancel) -> Iterator[Copying]:
        """Sends the memory while the program runs, again and again what has changed, until that does not get less: now and then
        how far it is. What has come is held on the target until `drop_copy`.

        If a connection is lost, what is held stays for a while, and another one goes on with that (`Copying`). Raises what it was
        lost for, if nothing has come for `PATIENCE_SECONDS`.
        """
        good, straight = time.monotonic(), self._direct is not None
        while True:
            try:
                yield from self._copy_rounds(cancel)
            except NodeError:
                if self._copying is not None and self._copying.bytes:
                    good = time.monotonic()
                    self.lost += 1
                if time.monotonic() - good > PATIENCE_SECONDS:
                    raise
            else:
                break
            self.drop_copy()
            self.drop_direct()
            cancel.check()
            time.sleep(RETRY_SECONDS)
            if straight:
                self._connect_again()

    def _connect_again(self) -> None:
        """The nodes with each other, if that still goes."""
        with suppress(TransprocError):
            self._direct = Direct(self._source, self._target)

    def _copy_rounds(self, cancel: Cancel) -> Iterator[Copying]:
        """Over one connection. Two who track the same memory would take each other's word that something was written, so nobody
        may be left of one that was lost.
        """
        self._source.end_copying()
        copying = Copying(self._source, self._target, self._job.pid, rate=self._rate, direct=self._direct)
        self._copying = copying
        while not enough(copying.rounds):
            begin = time.monotonic()
            copying.begin()
            while not copying.done(TELL_SECONDS):
                cancel.check()
                yield copying
            self.round_took = time.monotonic() - begin
        yield copying

    def program_stands(self) -> None:
        """What was sent ahead is compared from now on, for the last time."""
        if self._copying is not None:
            self._copying.begin(last=True)

    def compare(self, cancel: Cancel) -> str:
        """Waits until the target knows which of the pages that are there are the stopped program's, and has the others."""
        copying = self._copying
        assert copying is not None
        while not copying.done(TELL_SECONDS):
            cancel.check()
        last = copying.rounds[-1]
        return f"{human(last.looked_at)} compared, {human(last.sent)} had changed"

    # --- after -------------------------------------------------------------------------------------------------

    def borrow(self, *, follows: bool, held: bool) -> None:
        """Makes ready for a restore without the pages that are to come; `follows`: the program goes on before they are there.
        `held`: those that went ahead must be there, since nobody compares them with the source's once it runs.
        """
        self._target.borrow(eager=not follows, held=held)
        self._link = self._make_link()

    def bring(self, cancel: Cancel, *, follows: bool) -> Iterator[Link]:
        """Until the last page that the source holds has come: now and then the link, which may be another one.

        A lost link is joined again for a while. Raises what it was lost for, or `TransprocError` if pages are lost; a program
        that runs then waits for them.
        """
        good = time.monotonic()
        while True:
            try:
                link = self._link or self._make_link()
                self._link, before = link, link.bytes
                while not link.wait(TELL_SECONDS):
                    cancel.check()
                    yield link
                outcome, moved = link.outcome(), link.bytes > before
                if outcome is Outcome.DELIVERED:
                    break
                if outcome is Outcome.LOST:
                    good = float("-inf")  # nobody will ever answer
                    raise lost(self._job.name, self._target.node.name)
                error = NodeError(self._target.node.name, f"the link to {self._source.node.name} was lost")
                good = time.monotonic() if moved else good
            except NodeError as found:
                error = found
                if self.has_come():
                    break
            finally:
                self.bytes_followed += self._link.bytes if self._link is not None else 0
                self.drop_link()
            self.drop_direct()  # another link leads through this host
            if time.monotonic() - good > (PATIENCE_SECONDS if follows else PATIENCE_STOPPED):
                raise error
            cancel.check()
            time.sleep(RETRY_SECONDS)
        self.drop_copy()

    def has_come(self) -> bool:
        """Whether all is there, though the source cannot be reached: a pre-copy had brought it."""
        try:
            return self._target.has_all()
        except NodeError:
            return False

    def _make_link(self) -> Link:
        return Link(self._source, self._target, self._job.pid, rate=self._rate, direct=self._direct)

    # --- the image ---------------------------------------------------------------------------------------------

    def fill(self, dump: ImageDirectory, error: AbsentPagesError) -> None:
        """Fetches pages that the transformation reads, and some behind them: a stack goes on there."""
        lazy = Memory(dump, error.pid).lazy
        wanted = runs.clip(lazy, error.start, max(error.end, error.start + NEAR))
        pages = {start: self._source.peek(self._job.pid, error.pid, start, end) for start, end in wanted}
        owed.fill(dump, error.pid, pages)

    # --- the end -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends all that is under way."""
        self.drop_copy()
        self.drop_link()
        self.drop_direct()

    def drop_copy(self) -> None:
        """Ends a pre-copy: what it has brought is with who borrows, or gone."""
        if self._copying is not None:
            self._copying.close()
            self.bytes_ahead += self._copying.bytes
        self._copying = None

    def drop_link(self) -> None:
        """The program waits for what it has not got."""
        if self._link is not None:
            self._link.close()
        self._link = None

    def drop_direct(self) -> None:
        """Ends the nodes' connection with each other."""
        if self._direct is not None:
            self._direct.close()
        self._direct = None


def list_owed(image: ImageDirectory) -> int:
    """Writes beside a transformed image what is still to come; returns its bytes."""
    text, size = owed.still_lazy(image)
    with create(image.path / owed.FILE) as file:
        file.write(text.encode())
    return size

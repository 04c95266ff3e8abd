# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ways of pages that go by themselves: ahead of a process that is to move (pre-copy), and after one that has (post-copy).

Both ends are programs of the pause tool's in channels; the host passes on what they say.
"""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from transproc.cluster import pages
from transproc.cluster.base import Node
from transproc.cluster.channel import Channel
from transproc.cluster.direct import Direct
from transproc.cluster.place import Place
from transproc.errors import CommandError, NodeError, TransprocError

PIPE = 1 << 20
_AGAIN, _LOST = 3, 4
"""How `link` ends (runtime/tool/wire.h)."""
END_SECONDS = 20.0
"""From the end of the streams until both programs have ended."""


class Outcome(Enum):
    """How a link ended: all pages are there; it was interrupted; nobody knows which pages are missing."""

    DELIVERED, INTERRUPTED, LOST = range(3)


class Way:
    """Joins two programs of the pause tool's from when it is made; `close` it. Raises `NodeError` if a node cannot be reached."""

    def __init__(
        self,
        source: Node,
        give: Sequence[str],
        target: Node,
        take: Sequence[str],
        *,
        rate: int | None = None,
        direct: Direct | None = None,
        word: str,
    ) -> None:
        """The programs on both nodes; `rate`: at most so many bytes per second, which pass through this host; `direct`: else the
        source itself starts the target's program by that `word`, and only what that says comes here.
        """
        if source.packs(target):
            give, take = source.packing(give), target.unpacking(take)
        straight = direct.command(word) if direct is not None else ()
        self.bytes = 0
        """That have come so far."""
        self._rate = rate
        if straight:
            give = take = ["sh", "-c", f"{shlex.join(give)} | {shlex.join(straight)}"]
        self._give, self._take = give, take
        self._from = self._to = source.channel()
        if not straight:
            try:
                self._to = target.channel()
            except TransprocError:
                self._from.close()
                raise
            self._to.start(take)
        self._from.start(give)
        self._channels = [self._from] if straight else [self._from, self._to]
        self._threads = [
            threading.Thread(target=work, name="transproc-pages", daemon=True)
            for work in (self._carry_requests, *(() if straight else (self._carry_pages,)))
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, after so many seconds at most."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Ends it, whatever is under way."""
        for channel in self._channels:
            channel.connection.process.kill()
        for thread in self._threads:
            thread.join()
        for channel in self._channels:
            channel.close()

    def hear(self, request: bytes) -> bytes:
        """What of a request of the target's is meant for the source."""
        return request

    def _carry_pages(self) -> None:
        source, sink = self._from.connection.stdout.fileno(), self._to.connection.stdin.fileno()
        begin = time.monotonic()
        with suppress(OSError):
            while count := _pass_on(source, sink, PIPE if self._rate is None else 1 << 16):
                self.bytes += count
                if self._rate is not None:
                    ahead = self.bytes / self._rate - (time.monotonic() - begin)
                    time.sleep(max(0.0, ahead))
        _end(self._to)

    def _carry_requests(self) -> None:
        """Those that are for the host stay here."""
        source, sink = self._to.connection.stdout.fileno(), self._from.connection.stdin.fileno()
        held = b""
        with suppress(OSError):
            while data := os.read(source, 1 << 16):
                held += data
                asked, at = b"", 0
                while size := pages.whole(held, at):
                    asked += self.hear(held[at : at + size])
                    at += size
                held = held[at:]
                while asked:
                    asked = asked[os.write(sink, asked) :]
        _end(self._from)


class Link(Way):
    """From a stopped process, which lends its pages, to its running copy, which borrows them.

    It may end at any time: the program then waits for the pages that it touches, and another link goes on from there.
    """

    def __init__(
        self,
        source: Place,
        target: Place,
        pid: int,
        *,
        rate: int | None = None,
        direct: Direct | None = None,
    ) -> None:
        """`pid`: the stopped tree's; the rest: as `Way` has it."""
        self.left: int | None = None
        """Bytes still to come, once that is known."""
        give, take = source.tool.lend(pid), target.tool.link(target.image)
        super().__init__(source.node, give, target.node, take, rate=rate, direct=direct, word="link")

    def outcome(self) -> Outcome:
        """How it ended; it is interrupted if it has not. Raises `NodeError` for a connection to the target that is lost."""
        if not self.wait(0):
            self.close()
            return Outcome.INTERRUPTED
        status = self._to.finish(self._take, END_SECONDS).returncode
        return {0: Outcome.DELIVERED, _LOST: Outcome.LOST}.get(status, Outcome.INTERRUPTED)

    def hear(self, request: bytes) -> bytes:
        """As `Way` says."""
        kind, _pid, start, come = pages.REQUEST.unpack(request)
        if kind < pages.Request.LEFT:
            return request
        if kind not in (pages.Request.LEFT, pages.Request.DONE):
            return b""  # a message, of a program that could not begin
        self.left = 0 if kind == pages.Request.DONE else start
        self.bytes = max(self.bytes, come)  # all that is known of those that go another way
        return b""


@dataclass(frozen=True)
class Round:
    """One time through all memory: bytes that were read, of what the kernel did not know to be as it was, and bytes that had
    changed and were sent.
    """

    looked_at: int
    sent: int


class Copying(Way):
    """The memory of a running tree, sent ahead in rounds; what has come is held on the target as long as this lasts.

    If it ends by a lost connection, before the tree stands, another one of the same places goes on with what is held: that stays
    for a minute (KEPT, runtime/tool/rejoin.h), or until somebody makes the job's place quiet, or removes it.
    """

    def __init__(
        self,
        source: Place,
        target: Place,
        pid: int,
        *,
        rate: int | None = None,
        direct: Direct | None = None,
    ) -> None:
        """`pid`: the tree's. The target's directory of images is there. The rest: as `Way` has it."""
        self.rounds: list[Round] = []
        """Those that have come as a whole."""
        self._asked = 0
        self._told = threading.Condition()
        give, take = source.tool.copy(pid), target.tool.hold(target.images)
        super().__init__(source.node, give, target.node, take, rate=rate, direct=direct, word="hold")

    def begin(self, *, last: bool = False) -> None:
        """Begins another round; `last`: the tree stands, and what is held becomes its memory, which cannot be so in the first. A
        lost connection shows later.
        """
        self._asked += 1
        if self._asked == 1:
            return  # as soon as the source knows what is held: see `hear`
        with suppress(OSError):
            self._from.connection.stdin.write(_ask_round(self._asked, last=last))
            self._from.connection.stdin.flush()

    def done(self, seconds: float) -> bool:
        """Whether all rounds that were begun have come, within so many seconds. Raises `TransprocError` if they never will."""
        with self._told:
            self._told.wait_for(lambda: len(self.rounds) == self._asked or self._is_over(), seconds)
            if len(self.rounds) == self._asked:
                return True
        if self._is_over():
            raise self._failure()
        return False

    def finish(self) -> None:
        """No more rounds: who holds the memory leaves it to who borrows it."""
        for channel in self._channels:
            _end(channel)

    def hear(self, request: bytes) -> bytes:
        """As `Way` says."""
        kind, _number, looked_at, sent = pages.REQUEST.unpack_from(request)
        if kind == pages.Request.HELD:
            return request
        if kind == pages.Request.READY:
            return _ask_round(1)
        if kind == pages.Request.LEFT:
            self.bytes = max(self.bytes, sent)
        if kind == pages.Request.TOLD:
            with self._told:
                self.rounds.append(Round(looked_at, sent))
                self._told.notify_all()
        return b""

    def _is_over(self) -> bool:
        return not all(thread.is_alive() for thread in self._threads)

    def _failure(self) -> TransprocError:
        """Of the programs the one that has failed, or the connection that was lost; the other one may wait for it for ever."""
        until = time.monotonic() + END_SECONDS
        ways = [(self._from, self._give), (self._to, self._take)]
        while time.monotonic() < until:
            for channel, argv in ways:
                if channel.connection.process.poll():
                    done = channel.finish(argv, END_SECONDS)
                    return CommandError(argv, done.returncode, done.stderr.decode(errors="replace"))
            time.sleep(0.01)
        return TransprocError("a copy of memory has ended before it was done")


def _ask_round(number: int, *, last: bool = False) -> bytes:
    return pages.REQUEST.pack(pages.Request.ROUND, 0, number, last)


def _pass_on(source: int, sink: int, most: int) -> int:
    """From one pipe to another without a copy (splice(2)); 0 at the end."""
    return os.splice(source, sink, most)


def _end(channel: Channel) -> None:
    """Its program reads no more."""
    with suppress(OSError):
        channel.connection.stdin.close()


def lost(name: str, target: str) -> TransprocError:
    """The error for a program of which nobody knows which pages are missing."""
    return NodeError(
        target,
        f"who brings {name} its memory was ended there: it cannot go on",
        hint=f"'transproc kill {name}'; what it had printed and written until then is on {target}",
    )

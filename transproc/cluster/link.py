# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The way of pages that follow a process: from its stopped copy, which lends them, to the running one, which borrows them.

Both ends are programs of the pause tool's in channels; the host passes on what they say. A link may end at any time: the
program then waits for the pages that it touches, and another link goes on where the last one ended.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from enum import Enum

from transproc.cluster import pages
from transproc.cluster.channel import Channel
from transproc.cluster.place import Place
from transproc.errors import NodeError, TransprocError

PIPE = 1 << 20
_AGAIN, _LOST = 3, 4
"""How `link` ends (runtime/tool/wire.h)."""
END_SECONDS = 20.0
"""From the end of the streams until both programs have ended."""


class Outcome(Enum):
    """How a link ended: all pages are there; it was interrupted; nobody knows which pages are missing."""

    DELIVERED, INTERRUPTED, LOST = range(3)


class Link:
    """Carries pages from when it is made; `close` it. Raises `NodeError` if a node cannot be reached."""

    def __init__(self, source: Place, target: Place, pid: int, *, rate: int | None = None) -> None:
        """`pid`: the stopped tree's; `rate`: at most so many bytes per second."""
        self.bytes = 0
        """That have come so far."""
        self.left: int | None = None
        """Bytes still to come, once that is known."""
        self._rate = rate
        self._target = target
        self._argv = target.tool.link(target.image)
        self._from = source.node.channel()
        try:
            self._to = target.node.channel()
        except TransprocError:
            self._from.close()
            raise
        self._from.start(source.tool.lend(pid))
        self._to.start(self._argv)
        self._threads = [
            threading.Thread(target=work, name="transproc-pages", daemon=True)
            for work in (self._carry_pages, self._carry_requests)
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, after so many seconds at most."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def outcome(self) -> Outcome:
        """How it ended; it is interrupted if it has not. Raises `NodeError` for a connection to the target that is lost."""
        if not self.wait(0):
            self.close()
            return Outcome.INTERRUPTED
        status = self._to.finish(self._argv, END_SECONDS).returncode
        return {0: Outcome.DELIVERED, _LOST: Outcome.LOST}.get(status, Outcome.INTERRUPTED)

    def close(self) -> None:
        """Ends it, whatever is under way."""
        for channel in (self._from, self._to):
            channel.connection.process.kill()
        for thread in self._threads:
            thread.join()
        for channel in (self._from, self._to):
            channel.close()

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
                whole = len(held) - len(held) % pages.REQUEST.size
                asked = b"".join(
                    self._hear(held[at : at + pages.REQUEST.size])
                    for at in range(0, whole, pages.REQUEST.size)
                )
                held = held[whole:]
                while asked:
                    asked = asked[os.write(sink, asked) :]
        _end(self._from)

    def _hear(self, request: bytes) -> bytes:
        kind, _pid, start, _end = pages.REQUEST.unpack(request)
        if kind < pages.Request.LEFT:
            return request
        self.left = 0 if kind == pages.Request.DONE else start
        return b""


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

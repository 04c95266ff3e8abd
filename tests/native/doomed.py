# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller that is killed at a certain moment: python -m tests.native.doomed MOMENT FILE serve …

A moment is when the stream of events is to be told that a step has begun, is done, or has failed: exactly then. MOMENT is its
number, 1 the first, or its name, such as `dump begun`. The names of all that come are written to FILE.

With MOMENT `request N`, or `request NAME`, moments are when, from the first request that comes until it is asked what became of a
task, anything is about to change that outlives the process, or that others see: a line of the records, a file or directory, bytes
that are sent. Between two of them it makes no difference when it is killed. What was asked for begins beside the answer: a moment
that is named counts also when it comes later.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from asyncio import sslproto
from pathlib import Path
from typing import Any

from transproc.cli import main
from transproc.cluster.database import Database
from transproc.controller.connections import Bounded
from transproc.controller.stream import Stream

CHANGES = {
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
    "subprocess.Popen",
}
"""Audit events, beside that of opening a file to write."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Moments:
    """Counted from 1 on; at the one that is named, by its number or its name, this process is killed."""

    def __init__(self, moment: str, record: Path) -> None:
        self._moment, self._record = moment, record
        self._lock, self._count = threading.Lock(), 0

    def come(self, name: str) -> None:
        """One is here."""
        with self._lock:
            self._count += 1
            with self._record.open("a") as file:
                file.write(f"{name}\n")
            if self._moment in (str(self._count), name):
                os.kill(os.getpid(), signal.SIGKILL)


def doom(moments: Moments) -> None:
    """From now on this process lives until a step."""
    publish = Stream.publish

    def publish_or_die(stream: Stream, kind: str, data: dict[str, Any]) -> None:
        if kind == "step":
            moments.come(f"{data['name']} {data['state']}")
        publish(stream, kind, data)

    Stream.publish = publish_or_die  # type: ignore[method-assign]


def doom_requests(moments: Moments, *, late: bool) -> None:
    """From now on it lives until a request; `late`: or until something that comes of it later."""
    asked = ended = False

    def come(name: str) -> None:
        if asked and (late or not ended) and not hasattr(writing, "now"):
            writing.now = True
            moments.come(name)
            del writing.now

    def hear(protocol: Bounded, data: bytes) -> None:
        nonlocal asked, ended
        asked = True
        ended = ended or data.startswith(b"GET /api/v1/events?task=")
        data_received(protocol, data)

    def change(database: Database, statement: str, *words: Any, **more: Any) -> Any:
        come(" ".join(statement.split()[:3]))
        return changed(database, statement, *words, **more)

    def all_of(database: Database, query: str, *words: Any) -> Any:
        if not query.startswith("SELECT"):
            come(" ".join(query.split()[:3]))
        return found(database, query, *words)

    def write(transport: Any, data: bytes) -> None:
        come(f"send {data[:12].decode(errors='replace')}" if data.startswith(b"HTTP") else "send")
        written(transport, data)

    def audit(event: str, words: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and isinstance(words[2], int) and words[2] & WRITING):
            come(event)

    writing = threading.local()  # what is noted here is no moment
    data_received, changed, found = Bounded.data_received, Database.change, Database.all
    written = sslproto._SSLProtocolTransport.write  # type: ignore[attr-defined]
    Bounded.data_received = hear  # type: ignore[method-assign]
    Database.change, Database.all = change, all_of  # type: ignore[method-assign, assignment]
    sslproto._SSLProtocolTransport.write = write  # type: ignore[attr-defined]
    sys.addaudithook(audit)


if __name__ == "__main__":
    kind, _, rest = sys.argv[1].partition(" ")
    if kind == "request":
        doom_requests(Moments(rest, Path(sys.argv[2])), late=not rest.isdecimal())
    else:
        doom(Moments(sys.argv[1], Path(sys.argv[2])))
    main.main(sys.argv[3:])

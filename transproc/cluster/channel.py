# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A connection of its own for one program with streams, opened before it is needed."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO

from transproc.cluster.connection import Connection
from transproc.cluster.session import Result, encode
from transproc.errors import NodeError

STALL_SECONDS = 120.0
"""A stream in which nothing moves for so long has failed."""
CHUNK = 1 << 18


class Channel:
    """A connection for one program, whose standard streams are `connection.stdin` and `connection.stdout` once it is started."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def start(self, argv: Sequence[str]) -> None:
        """Makes the program run. A connection that has been lost shows at the end."""
        try:
            self.connection.stdin.write(encode(1, argv))
            self.connection.stdin.flush()
        except OSError:
            pass

    def finish(self, argv: Sequence[str], seconds: float) -> Result:
        """The program's end; raises NodeError if the connection was lost, or after so many seconds."""
        try:
            status = self.connection.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NodeError(
                self.connection.name, f"no end within {seconds:g} s: {shlex.join(argv)}"
            ) from None
        if status in (255, -signal.SIGKILL):
            raise self.connection.lost()
        return Result(list(argv), status, b"", self.connection.errors().encode())

    def carry(self, stdin: IO[bytes] | None, stdout: IO[bytes] | None, *, stall: float | None) -> None:
        """Copies `stdin` to the program, and what it prints to `stdout`, until it ends its output.

        Raises NodeError if nothing moves for `stall` seconds.
        """
        feeder = _Feeder(stdin, self.connection.stdin)
        try:
            sink = stdout.fileno() if stdout is not None else -1
            source = self.connection.stdout.fileno()
            last = time.monotonic()
            while True:
                if not readable(source, 0.5):
                    moved = max(last, feeder.moved)
                    if stall is not None and time.monotonic() - moved > stall:
                        raise NodeError(self.connection.name, f"a stream stood still for {stall:g} s")
                    continue
                last = time.monotonic()
                data = os.read(source, CHUNK)
                if not data:
                    return
                sink = write(sink, data)
        finally:
            feeder.end()

    def close(self) -> None:
        """Ends the connection, and so the program."""
        self.connection.close()


class _Feeder:
    """A thread that copies a file into a pipe, and can be stopped while it waits."""

    def __init__(self, source: IO[bytes] | None, sink: IO[bytes]) -> None:
        self.moved = time.monotonic()
        self._source, self._sink = source, sink
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        source = -1 if self._source is None else self._source.fileno()
        try:
            while source >= 0 and readable(source, None, self._stopped):
                data = os.read(source, CHUNK)
                if not data or write(self._sink.fileno(), data) < 0:
                    break
                self.moved = time.monotonic()
            self._sink.close()
        except (OSError, ValueError):
            pass  # a program that does not read to the end is no error of ours

    def end(self) -> None:
        """Whatever has not been copied yet stays."""
        os.close(self._stop)
        self._thread.join(1.0)  # it may wait for a program that reads no more: that ends with its connection
        if not self._thread.is_alive():
            os.close(self._stopped)


def readable(fd: int, seconds: float | None, stop: int | None = None) -> bool:
    """Whether `fd` can be read; False after so many seconds, or when `stop` has ended."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if stop is not None:
        poll.register(stop, select.POLLIN)
    ready = dict(poll.poll(None if seconds is None else seconds * 1000))
    return fd in ready and stop not in ready


def write(sink: int, data: bytes) -> int:
    """Writes all of it; returns `sink`, or -1 (which takes everything) if nobody reads there any more."""
    view = memoryview(data)
    try:
        while view and sink >= 0:
            view = view[os.write(sink, view) :]
    except BrokenPipeError:
        return -1
    return sink

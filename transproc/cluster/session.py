# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs run on a node through one connection, several at once, in frames (docs/format.md).

A node is not trusted: what it sends is checked, and never grows beyond a limit.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import struct
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from transproc.cluster.connection import Connection
from transproc.errors import NodeError, TransprocError

Result = subprocess.CompletedProcess[bytes]

USUAL_SECONDS = 60.0
"""For whatever has no deadline of its own."""
MARGIN_SECONDS = 15.0
"""A node ends a program at its deadline by itself, 5 s after having asked it to; so long after that it counts as dead."""
LARGEST_OUTPUT = 256 << 20
_PROTOCOL = 1
_REQUEST = struct.Struct("<IIII")
_CANCEL = struct.Struct("<II")
_ANSWER = struct.Struct("<III")
_END = struct.Struct("<II")
_PIECE = 1 << 16
_LATER = 1 << 31
"""In the number of words: the program's standard input comes in a request of its own, of no words."""


class _Kind(IntEnum):
    HELLO, OUTPUT, ERRORS, END = range(4)


def encode(
    number: int,
    argv: Sequence[str],
    stdin: bytes = b"",
    timeout: float | None = None,
    *,
    later: bool = False,
) -> bytes:
    """A request. `timeout` in seconds. `later`: its standard input comes in another one, which has no words."""
    words = b"".join(os.fsencode(word) + b"\0" for word in argv)
    milliseconds = 0 if timeout is None else max(1, round(timeout * 1000))
    count = len(argv) | (_LATER if later else 0)
    head = _REQUEST.pack(number, 8 + len(words) + len(stdin), min(milliseconds, 0xFFFFFFFF), count)
    return head + words + stdin


@dataclass
class _Pending:
    """A program that runs on the node."""

    done: threading.Event = field(default_factory=threading.Event)
    said: threading.Event = field(default_factory=threading.Event)
    """It has said anything in its errors, or is done."""
    output: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    size: int = 0
    status: int = 0
    late: bool = False
    lost: NodeError | None = None

    def end(self) -> None:
        """Nothing more comes."""
        self.done.set()
        self.said.set()


class Begun:
    """A program that was started, and waits on the node for its standard input; see `Session.begin`."""

    def __init__(self, session: Session, number: int, pending: _Pending, argv: Sequence[str]) -> None:
        self._session, self._number, self._pending, self._argv = session, number, pending, argv

    @property
    def waits(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return not self._pending.done.is_set()

    def ready(self, timeout: float) -> None:
        """Waits until it has said anything in its errors, or has ended, for `timeout` seconds at most."""
        self._pending.said.wait(timeout)

    def finish(self, stdin: bytes, *, timeout: float) -> Result:
        """Gives it its standard input, of 64 KiB at most, and waits for its end, as `Session.run` does."""
        return self._session.end(self._number, self._pending, self._argv, timeout, stdin)

    def drop(self) -> None:
        """Ends it; nothing if it has ended."""
        self._session.cancel(self._number)


class Session:
    """Programs run at the other end of a connection, several at once; methods may be called from several threads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._lost: NodeError | None = None
        self._closing = False
        self._reader = threading.Thread(target=self._read, name=f"transproc-{connection.name}", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked for more."""
        return self._lost is None

    def run(self, argv: Sequence[str], stdin: bytes | None, timeout: float) -> Result:
        """Runs a program to its end; raises NodeError after `timeout` seconds, and if the connection is lost."""
        number, pending = self._expect()
        self._send(encode(number, argv, stdin or b"", timeout))
        return self.end(number, pending, argv, timeout)

    def begin(self, argv: Sequence[str], timeout: float) -> Begun:
        """Starts a program, which waits for its standard input for `timeout` seconds at most. It is ended with the session."""
        number, pending = self._expect()
        self._send(encode(number, argv, timeout=timeout, later=True))
        return Begun(self, number, pending, argv)

    def cancel(self, number: int) -> None:
        """Ends a program, if it has not ended; what it says is for nobody."""
        with self._lock:
            pending = self._pending.get(number)
        if pending is not None:
            self._send(_CANCEL.pack(number, 0))

    def end(
        self,
        number: int,
        pending: _Pending,
        argv: Sequence[str],
        timeout: float,
        stdin: bytes | None = None,
    ) -> Result:
        """Waits for a program's end; `stdin`: what it has waited for."""
        if stdin is not None:
            self._send(encode(number, [], stdin, timeout))
        try:
            if not pending.done.wait(timeout + MARGIN_SECONDS):
                self.fail(NodeError(self.connection.name, f"does not answer: {shlex.join(argv)}"))
        except BaseException:
            self._send(_CANCEL.pack(number, 0))
            raise
        if pending.lost is not None:
            raise pending.lost
        if pending.late:
            raise NodeError(self.connection.name, f"no end within {timeout:g} s: {shlex.join(argv)}")
        output, errors = b"".join(pending.output), b"".join(pending.errors)
        return Result(list(argv), _status(pending.status), output, errors)

    def close(self) -> None:
        """Ends it; programs that still run are ended on the node."""
        self._closing = True
        self.fail(NodeError(self.connection.name, "connection closed"))

    def fail(self, error: NodeError) -> None:
        """Gives the session up."""
        with self._lock:
            if self._lost is None:
                self._lost = error
            pending, self._pending = list(self._pending.values()), {}
        for one in pending:
            one.lost = error
            one.end()
        if threading.current_thread() is not self._reader:
            with contextlib.suppress(OSError):
                self.connection.stdin.close()
            self.connection.end(0.5)
            self._reader.join()
            self.connection.close()

    def _expect(self) -> tuple[int, _Pending]:
        number, pending = next(self._numbers), _Pending()
        with self._lock:
            if self._lost is not None:
                raise self._lost
            self._pending[number] = pending
        return number, pending

    def _send(self, data: bytes) -> None:
        with self._writing:
            try:
                self.connection.stdin.write(data)
                self.connection.stdin.flush()
            except (OSError, ValueError):  # the reader notices the end, and says why
                pass

    def _read(self) -> None:
        """Until the end of the connection, or until it makes no sense."""
        try:
            while head := self._exactly(_ANSWER.size):
                number, kind, size = _ANSWER.unpack(head)
                if size > _PIECE:
                    raise self._nonsense(f"a frame of {size} bytes")
                self._take(number, kind, self._exactly(size) if size else b"")
            error = NodeError(self.connection.name, "closed") if self._closing else self.connection.lost()
        except TransprocError as found:
            error = found if isinstance(found, NodeError) else NodeError(self.connection.name, found.message)
        except (OSError, ValueError):
            error = NodeError(self.connection.name, "connection lost")
        self.fail(error)

    def _exactly(self, size: int) -> bytes:
        data = self.connection.stdout.read(size)
        return data if len(data) == size else b""

    def _take(self, number: int, kind: int, data: bytes) -> None:
        if number == 0 and kind == _Kind.HELLO and len(data) == 4:
            if int.from_bytes(data, "little") != _PROTOCOL:
                raise self._nonsense("another protocol")
            return
        with self._lock:
            pending = self._pending.get(number)
        if pending is None:
            return  # given up meanwhile
        pending.size += len(data)
        if pending.size > LARGEST_OUTPUT:
            raise self._nonsense(f"more than {LARGEST_OUTPUT} bytes of output")
        if kind in (_Kind.OUTPUT, _Kind.ERRORS):
            (pending.output if kind == _Kind.OUTPUT else pending.errors).append(data)
            if kind == _Kind.ERRORS:
                pending.said.set()
        elif kind == _Kind.END and len(data) == _END.size:
            status, late = _END.unpack(data)
            pending.status, pending.late = status, bool(late)
            with self._lock:
                self._pending.pop(number, None)
            pending.end()
        else:
            raise self._nonsense(f"a frame of kind {kind} with {len(data)} bytes")

    def _nonsense(self, what: str) -> NodeError:
        return NodeError(self.connection.name, f"sent {what}, which is no answer of transproc's")


def _status(waited: int) -> int:
    """Of wait4(2), as Popen has it: -n for signal n."""
    return -(waited & 0x7F) if waited & 0x7F else waited >> 8 & 0xFF

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Conversations with jobs through their terminals, for users of a controller.

A conversation is the controller's and not a connection's: a user whose connection breaks takes it up again where he was, and what
he has typed is typed once. It ends with the job, when its user says so, or when nobody has listened for a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

from transproc.cluster import terminal
from transproc.cluster.job import Job
from transproc.errors import BusyError, MissingError, TransprocError
from transproc.host import Host
from transproc.process.launch import Window

MOST_OPEN = 16
"""Of one token at the same time."""
KEPT = 1 << 20
"""Bytes of what was shown that a user who comes back can still get; more is read from the job's node again."""
AHEAD = 1 << 18
"""Bytes that nobody has taken yet, at which the job's node is asked for no more."""
CLOSE_SECONDS = 2.0
LEFT_SECONDS = 60.0
"""After its last listener has gone a conversation ends."""


class Conversation:
    """One of them. `offset`: in what the job has printed, where it begins. Methods may be called from several threads."""

    def __init__(self, host: Host, name: str, owner: str, offset: int, window: Window | None) -> None:
        self.id = secrets.token_hex(8)
        self.name, self.owner, self.begin, self.typed = name, owner, offset, 0
        self.result: dict[str, Any] | None = None
        """How it has ended: `job`, its record, or `error`."""
        self._host = host
        self._window = window
        self._shown = bytearray()  # from `_first` to `_end`
        self._first = self._end = self._taken = (
            offset  # `_taken`: by a listener, or sent to one that has gone
        )
        self._changed = threading.Condition()
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._left = time.monotonic()
        self._closed = False
        self._keyboard, self._keys = os.pipe()
        os.set_blocking(self._keys, False)
        self._thread = threading.Thread(target=self._run, args=(offset,), name="terminal", daemon=True)
        self._thread.start()

    def _run(self, offset: int) -> None:
        result: dict[str, Any]
        try:
            job: Job = terminal.converse(
                self._host.store,
                self.name,
                self._host.place,
                keyboard=self._keyboard,
                screen=self,
                offset=offset,
            )
            result = {"job": {key: value for key, value in job.as_dict().items() if key != "history"}}
        except TransprocError as error:
            result = {"error": {"message": error.message, "hint": error.hint}}
        except Exception as error:
            result = {"error": {"message": f"internal error: {error!r}", "hint": None}}
        os.close(self._keyboard)
        with self._changed:
            self.result = result
        self._wake()

    # --- the job's side ------------------------------------------------------------------------------------------

    def show(self, data: bytes) -> None:
        """As `terminal.Screen` says."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._end - self._taken < AHEAD)
            if self._closed:
                return
            self._shown += data
            self._end += len(data)
            if (old := self._taken - KEPT - self._first) > KEPT:
                del self._shown[:old]
                self._first += old
        self._wake()

    def window(self) -> Window | None:
        """As `terminal.Screen` says."""
        return self._window

    # --- the user's side -----------------------------------------------------------------------------------------

    def type(self, data: bytes, at: int) -> int:
        """Types what has not been typed before; `at`: how much had been before these bytes. Returns how much has been now.

        Raises `TransprocError` if something between is missing.
        """
        with self._changed:
            if at > self.typed:
                raise TransprocError(f"{self.typed} bytes were typed, and these come after {at}")
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                self.typed += os.write(self._keys, data[self.typed - at :]) if not self._closed else 0
            return self.typed

    def resize(self, window: Window) -> None:
        """The user's terminal has that size now."""
        self._window = window

    def expect(self, offset: int) -> None:
        """Raises `MissingError` if what was printed there is not kept any more."""
        with self._changed:
            if not self._first <= offset <= self._end:
                raise MissingError(f"terminal {self.id}: has no more of what was shown at {offset}")

    async def listen(self, offset: int, idle: float) -> AsyncIterator[bytes]:
        """What the job prints from there on, until the end; nothing after `idle` seconds without."""
        ready = asyncio.Event()
        self._listeners[ready] = asyncio.get_running_loop()
        try:
            while True:
                ready.clear()
                if data := self._after(offset):
                    offset += len(data)
                    yield data
                elif self.result is not None or self._closed:
                    return
                else:
                    try:
                        await asyncio.wait_for(ready.wait(), idle)
                    except TimeoutError:
                        yield b""
        finally:
            self._left = time.monotonic()
            del self._listeners[ready]

    def _after(self, offset: int) -> bytes:
        with self._changed:
            found = bytes(self._shown[max(0, offset - self._first) :])
            self._taken = max(self._taken, offset + len(found))
            self._changed.notify_all()
            return found

    def _wake(self) -> None:
        for event, loop in list(self._listeners.items()):
            with contextlib.suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(event.set)

    def join(self, seconds: float) -> None:
        """Waits for its end, which `close` has asked for."""
        self._thread.join(seconds)

    @property
    def forgotten(self) -> bool:
        """Nobody has listened for long."""
        return not self._listeners and time.monotonic() - self._left > LEFT_SECONDS

    def close(self) -> None:
        """It ends when what was typed has been typed; the job goes on."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            os.close(self._keys)
            self._changed.notify_all()
        self._wake()


class Terminals:
    """All conversations of a controller. Methods may be called from several threads."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open: dict[str, Conversation] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, owner: str, offset: int | None, window: Window | None) -> Conversation:
        """One with a job for the token of that id; `offset`: None for what is printed from now on.

        Raises `TransprocError` if the job has no terminal, `BusyError` if the token has too many.
        """
        self.forget()
        job = self._host.store.load(name)
        terminal.expect_terminal(job)
        place = self._host.place(job)
        start = place.printed() if offset is None else offset
        with self._lock:
            if sum(one.owner == owner for one in self._open.values()) >= MOST_OPEN:
                raise BusyError(f"{MOST_OPEN} terminals are open", hint="leave one of them with Ctrl-]")
            made = Conversation(self._host, name, owner, start, window)
            self._open[made.id] = made
        return made

    def find(self, identity: str, owner: str) -> Conversation:
        """Raises `MissingError` if the token has none of that id."""
        with self._lock:
            found = self._open.get(identity)
        if found is None or found.owner != owner:
            raise MissingError(f"terminal {identity[:40]!r}: there is none")
        return found

    def end(self, conversation: Conversation) -> None:
        """Its user leaves."""
        conversation.close()
        with self._lock:
            self._open.pop(conversation.id, None)

    def forget(self) -> None:
        """Ends those to which nobody has listened for long."""
        with self._lock:
            old = [one for one in self._open.values() if one.forgotten]
        for one in old:
            self.end(one)

    def close(self) -> None:
        """Ends all, and waits a moment until none uses a connection any more."""
        with self._lock:
            found = list(self._open.values())
        for one in found:
            self.end(one)
        for one in found:
            one.join(CLOSE_SECONDS)

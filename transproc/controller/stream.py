# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What happens, as one numbered stream that everybody who shows something listens to.

Events are kept in a ring. Each listener has a place in it, not a queue: one that is slow costs nothing, and is told to look at
everything again (`reset`) when the ring has overtaken it. The number of an event is unique to this run of the controller.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

KEPT = 20_000
"""Events. A migration makes about thirty."""


@dataclass(frozen=True)
class Event:
    """`kind` is one of:

    task    a task's record has changed: `TaskModel`
    step    a step has begun or ended: task, job, name, step (its number in the task), inside (that of the step around it), beside
            (others are under way), state (`begun`, `done`, `failed`), seconds, detail
    note    task, job, message, inside, beside
    job     a job's record has changed: name and state, node, …, or `removed`
    node    what is known of a node has changed: name and `up`, facts
    reset   events were lost: look at everything again
    """

    number: int
    kind: str
    data: dict[str, Any]
    time: float


class Stream:
    """`publish` may be called from any thread, the rest from the event loop that was first listened in."""

    def __init__(self, kept: int = KEPT) -> None:
        self.run = secrets.token_hex(4)
        self._kept: deque[Event] = deque(maxlen=kept)
        self._next = 1
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._closed = False

    @property
    def last(self) -> int:
        """The number of the latest event."""
        with self._lock:
            return self._next - 1

    @property
    def closed(self) -> bool:
        """No more events come."""
        return self._closed

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Something has happened; `data` is plain data for JSON, and not changed later."""
        with self._lock:
            self._kept.append(Event(self._next, kind, data, time.time()))
            self._next += 1
            waiting = list(self._waiting.items())
        for event, loop in waiting:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # that loop has ended
                self._forget(event)

    def close(self) -> None:
        """Ends all listening; may be called from any thread, or in a signal's handler."""
        self._closed = True
        for event, loop in list(self._waiting.items()):
            loop.call_soon_threadsafe(event.set)

    def position(self, mark: str | None) -> int | None:
        """Where a listener goes on that has heard `mark` (see `mark`): None if that was of another run, or is forgotten."""
        run, _, number = (mark or "").partition("-")
        if run != self.run or not number.isdecimal() or len(number) > 15:
            return None
        with self._lock:
            first = self._kept[0].number if self._kept else self._next
        return int(number) if first - 1 <= int(number) < self._next else None

    def mark(self, number: int) -> str:
        """An event's name, as `Last-Event-ID` has it."""
        return f"{self.run}-{number}"

    async def listen(self, after: int | None, idle: float) -> AsyncIterator[list[Event]]:
        """What comes after an event (None: from now on), as it comes; an empty list after `idle` seconds without."""
        position = self.last if after is None else after
        ready = asyncio.Event()
        with self._lock:
            self._waiting[ready] = asyncio.get_running_loop()
        try:
            while not self._closed:
                ready.clear()
                events = self.after(position)
                if not events:
                    try:
                        await asyncio.wait_for(ready.wait(), idle)
                    except TimeoutError:
                        yield []
                    continue
                position = events[-1].number
                yield events
        finally:
            self._forget(ready)

    def after(self, position: int) -> list[Event]:
        """What has come after an event until now."""
        with self._lock:
            missing = self._next - 1 - position
            if missing <= 0:
                return []
            if missing > len(self._kept):
                return [Event(self._next - 1, "reset", {}, time.time())]
            return [self._kept[i] for i in range(len(self._kept) - missing, len(self._kept))]

    def _forget(self, event: asyncio.Event) -> None:
        with self._lock:
            self._waiting.pop(event, None)


def encoded(stream: Stream, event: Event) -> str:
    """As a server-sent event (WHATWG HTML, 9.2.6)."""
    data = json.dumps({**event.data, "time": round(event.time, 3)}, default=str)
    return f"id: {stream.mark(event.number)}\nevent: {event.kind}\ndata: {data}\n\n"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What an operation is given besides its arguments: somebody who is told of the steps, and somebody who may call it off.

Operations print nothing and ask nothing of their process: the command line shows the steps on the terminal (`transproc.log` is
an `Events`) and calls off by Ctrl-C (`Signals`); another caller has its own.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Protocol

from transproc.log import Step

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Events(Protocol):
    """Hears what an operation does."""

    def step(self, name: str) -> AbstractContextManager[Step]:
        """A timed step begins; steps nest. Its `detail` may be set before it ends."""

    def note(self, message: str) -> None:
        """Something that its user should know, and that is no error."""


class Silent:
    """Nobody listens; steps are timed all the same."""

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """As `Events` says."""
        made, begin = Step(name), time.perf_counter()
        try:
            yield made
        finally:
            made.seconds = time.perf_counter() - begin

    def note(self, message: str) -> None:
        """As `Events` says."""


class Cancel(Protocol):
    """Says whether the user wants to stop."""

    def check(self) -> None:
        """Between two steps: raises KeyboardInterrupt if so, once."""

    def deferred(self) -> AbstractContextManager[None]:
        """Inside, a wish to stop is obeyed by `check` alone, not while a node is at work on the process."""


class Token:
    """Called off by another thread."""

    def __init__(self) -> None:
        self._wanted = threading.Event()

    def cancel(self) -> None:
        """The operation is to stop after the step under way, and to take everything back."""
        self._wanted.set()

    def check(self) -> None:
        """As `Cancel` says."""
        if self._wanted.is_set():
            self._wanted.clear()
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """As `Cancel` says; nothing is to be deferred."""
        yield


class Signals:
    """Called off by SIGNALS: the first is noted, a second one is obeyed at once.

    Only Python's main thread is interrupted by signals, and can defer them.
    """

    def __init__(self, events: Events, then: str = "after this step everything is taken back") -> None:
        """`then`: what the user is told will happen."""
        self._events = events
        self._then = then
        self._wanted = False

    def check(self) -> None:
        """As `Cancel` says."""
        if self._wanted:
            self._wanted = False
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """As `Cancel` says."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._request) for number in SIGNALS}
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self._wanted:
            raise KeyboardInterrupt
        self._wanted = True
        self._events.note(f"interrupted: {self._then}")

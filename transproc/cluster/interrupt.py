"""Ctrl-C, and being ended, at the right moment: between two steps, not while a node is at work on the process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from transproc import log

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """Whether the user wants to stop."""

    def __init__(self) -> None:
        self.wanted = False

    def check(self) -> None:
        """Raises KeyboardInterrupt if so."""
        if self.wanted:
            self.wanted = False
            raise KeyboardInterrupt

    def request(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal: the first is noted, a second one is obeyed at once."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
        log.note("interrupted: after this step everything is taken back")


@contextmanager
def deferred() -> Iterator[Interrupt]:
    """Notes SIGNALS for `check`; only Python's main thread can, others are not interrupted anyway."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt.request) for number in SIGNALS}
    try:
        yield interrupt
    finally:
        for number, action in before.items():
            signal.signal(number, action)

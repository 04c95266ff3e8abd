# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A case that comes to a standstill fails, and says where, instead of holding up all that follow it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class LateError(AssertionError):
    """It was not done in time."""


@contextmanager
def deadline(seconds: float, what: object) -> Iterator[None]:
    """Raises `LateError` in the main thread, wherever that is then, if what is inside has not ended after so many seconds."""

    def late(number: int, frame: FrameType | None) -> None:
        raise LateError(f"{what}: not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

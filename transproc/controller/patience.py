# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller that is away for a moment, such as one that is started again, is waited for."""

from __future__ import annotations

import time

from transproc.errors import TransprocError

SECONDS = 60.0
"""So long it may be away while somebody waits for its answer."""
AGAIN_SECONDS = 0.5


class LostError(TransprocError):
    """The controller cannot be reached; `asked`: a connection was lost, or it has answered before."""

    asked = True


class UnreachedError(OSError):
    """There is no connection."""


class Patience:
    """Of one who asks."""

    def __init__(self) -> None:
        self._until: float | None = None

    @property
    def waits(self) -> bool:
        """It was lost, and has not answered since."""
        return self._until is not None

    def answered(self) -> None:
        """It has."""
        self._until = None

    def lost(self, error: LostError) -> None:
        """Waits a moment; raises the error if it was never there, or is away for too long."""
        if not (self.waits or error.asked):
            raise error
        self._until = self._until or time.monotonic() + SECONDS
        if time.monotonic() > self._until:
            raise error
        time.sleep(AGAIN_SECONDS)

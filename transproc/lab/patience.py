# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Deadlines for emulators, on hosts that have much else to do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Patience:
    """So many seconds for emulators, beside those in which they waited for a processor: a busy host is not their fault."""

    pids: Sequence[int]
    seconds: float

    def __post_init__(self) -> None:
        self._begin, self._before = time.monotonic(), self._unserved()

    @property
    def waited(self) -> float:
        """Seconds, of the one that waited longest."""
        return max(
            (now - before for now, before in zip(self._unserved(), self._before, strict=True)), default=0.0
        )

    @property
    def left(self) -> float:
        """Seconds; negative when they are over."""
        return self.seconds - (time.monotonic() - self._begin) + self.waited

    def _unserved(self) -> list[float]:
        return [_unserved(pid) for pid in self.pids]


def _unserved(pid: int) -> float:
    """Seconds for which a process could run and was not let, of its thread with most (the second word of /proc/PID/schedstat:
    Linux, Documentation/scheduler/sched-stats.rst); 0 if the kernel does not say.
    """
    found = [0.0]
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, LookupError):
            found.append(int(path.read_text().split()[1]) / 1e9)
    return max(found)

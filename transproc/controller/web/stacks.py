# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stacks with function names and values, as `transproc show` has them: of images that a job has on this host, or of a look at it.

Values are the program's memory. They are shown to whoever may operate, kept in this process alone, and forgotten soon.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from transproc.binary.pair import PairStore
from transproc.cluster import operations
from transproc.cluster.operations import Context
from transproc.cluster.store import JobStore
from transproc.controller.requests.base import Request
from transproc.errors import TransprocError
from transproc.images.directory import ImageDirectory
from transproc.transform import describe
from transproc.transform.describe import ThreadView

KEPT_SECONDS = 600.0
"""How long the result of a look can be seen."""
KEPT = 20
"""Looks."""
FRAMES = 200
"""Of a thread, that are shown: from the innermost."""


@dataclass(frozen=True)
class Seen:
    """The threads of one image; `when` it was made, in seconds of the epoch."""

    title: str
    when: float
    threads: Sequence[ThreadView]
    problem: str = ""


class Stacks:
    """Methods may be called from several threads."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._looks: dict[str, tuple[float, Seen]] = {}

    def images(self, name: str) -> dict[str, Path]:
        """The images of a job that are on this host, by what they are: of a move step by step, or kept after one."""
        found = {
            "before": self._store.move(name) / "images" / "dump",
            "after": self._store.move(name) / "images" / "image",
        }
        return {what: path for what, path in found.items() if path.is_dir()}

    def seen(self, name: str, *, at_work: bool = False) -> list[Seen]:
        """All there is to see of a job: the images, before and after their transformation, and the latest look.

        `at_work`: something works on the job now, and on images of it that are not complete or not to stay.
        """
        images = {} if at_work else self.images(name)
        shown = [self._read(name, path, f"{what.capitalize()} the move") for what, path in images.items()]
        with self._lock:
            self._forget()
            look = self._looks.get(name)
        return ([look[1]] if look else []) + shown

    def keep(self, name: str, seen: Seen) -> None:
        """The result of a look."""
        with self._lock:
            self._looks[name] = (time.monotonic(), seen)
            self._forget()

    def _forget(self) -> None:
        now = time.monotonic()
        kept = [item for item in self._looks.items() if now - item[1][0] < KEPT_SECONDS]
        self._looks = dict(kept[-KEPT:])

    def _read(self, name: str, path: Path, title: str) -> Seen:
        try:
            return read(path, self._store.pair(name), title)
        except (TransprocError, OSError) as error:  # a migration may be at work with it
            return Seen(title, time.time(), [], getattr(error, "message", str(error)))


def read(image: Path, pair: Path, title: str) -> Seen:
    """The stacks of an image; raises `TransprocError`."""
    found = ImageDirectory(image)
    when = image.stat().st_mtime
    threads = describe.stacks(found, PairStore([pair]))
    for thread in threads:
        if len(thread.frames) > FRAMES:
            thread.problem = f"{len(thread.frames) - FRAMES} more frames"
            del thread.frames[FRAMES:]
    return Seen(title, when, threads)


@dataclass(frozen=True)
class Look(Request):
    """Stops a job for a moment, and keeps what its stacks hold for whoever asked; nothing of that is in the task's record."""

    kind: ClassVar[str] = "look"
    name: str
    stacks: Stacks = field(repr=False, compare=False)

    def perform(self, context: Context) -> Any:
        """As the base says."""
        pair = context.store.pair(self.name)
        seen = operations.look(context, self.name, lambda image: read(image, pair, "A look at it"))
        self.stacks.keep(self.name, seen)

    def record(self) -> dict[str, Any]:
        """Without what is seen."""
        return {"name": self.name}

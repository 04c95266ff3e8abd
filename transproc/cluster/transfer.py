# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What travels between nodes: through the host, which has a connection to each, in one stream from node to node.

A job's `data/` (working directory and standard streams) and its images lie in the same relative places in the job's
directory on a node, and the images under `JobStore.move()` on the host as well, which keeps what the transformation reads. The
binary of the target's ISA travels ahead, while the process still runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from transproc.cluster import archive
from transproc.cluster.archive import Given
from transproc.cluster.job import Job
from transproc.cluster.members import IMAGES
from transproc.cluster.place import Place
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError
from transproc.text import human

LEAST_RATE = 10_000
"""Bytes per second."""


def binary(store: JobStore, job: Job, isa: str) -> Path:
    """The pair's binary for an ISA; raises `TransprocError` if the pair has none."""
    path = store.pair(job.name) / f"{job.program}.{isa}"
    if not path.is_file():
        raise TransprocError(
            f"job {job.name}: no binary for {isa}",
            hint=f"'transproc-cc' writes {path.name} beside {job.program}",
        )
    return path


def fetch_small_dump(here: Path, source: Place) -> int:
    """Copies a dump to the host, as `here`, if it is small; returns the bytes, or 0 if it is not.

    It goes on with the image (`ship_images`), which is faster than a stream of its own.
    """
    return source.node.give_parcel(source.dump, here, IMAGES)


def fetch_dump(
    here: Path, source: Place, target: Place | None, told: Callable[[int], None] | None = None
) -> int:
    """Copies the dump to the host, as `here`, and, in the same stream, to the target, if there is one; returns the bytes."""
    if target is None:
        source.node.get(source.dump, here, IMAGES)
        return archive.size(here)
    return source.node.relay(source.dump, target.node, IMAGES, directory=target.images, keep=here, told=told)


def ship_images(here: Path, target: Place, *, with_dump: bool, small: bool = False) -> int:
    """Copies the transformed image below `here` to the target, with the dump it refers to if that is not there; its bytes."""
    there = PurePosixPath(target.images)
    if small:
        return target.node.take_parcel(here, there)
    if not with_dump:
        here, there = here / "image", there / "image"
    target.node.put(here, there, given=Given(), parents=False)
    return archive.size(here)


def images(store: JobStore, job: Job) -> Path:
    """`dump/` and `image/` on the host."""
    return store.move(job.name) / "images"


def rate(text: str) -> int | None:
    """Bytes per second, as a user writes them: a number, with k, M or G behind it; None for nothing. Raises `TransprocError`."""
    if not text:
        return None
    words = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([kMG]?)B?(?:/s)?", text)
    found = round(float(words[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[words[2]]) if words else 0
    if found < LEAST_RATE:
        raise TransprocError(
            f"rate {text!r}: expected bytes per second, such as 500k or 20M, at least {human(LEAST_RATE)}"
        )
    return found

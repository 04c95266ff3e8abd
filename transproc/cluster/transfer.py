"""What travels between nodes: always through the host, which has a connection to each.

A job's `data/` (working directory and standard streams) and its images lie in the same relative places in the job's
directory on a node and under `JobStore.move()` on the host, so that one copy of a directory is one transfer. The binary of the
target's ISA travels ahead, while the process still runs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from transproc.cluster.archive import Given
from transproc.cluster.job import Job
from transproc.cluster.members import IMAGES
from transproc.cluster.place import Place
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError


def binary(store: JobStore, job: Job, isa: str) -> Path:
    """The pair's binary for an ISA; raises `TransprocError` if the pair has none."""
    path = store.pair(job.name) / f"{job.program}.{isa}"
    if not path.is_file():
        raise TransprocError(
            f"job {job.name}: no binary for {isa}",
            hint=f"'transproc-cc' writes {path.name} beside {job.program}",
        )
    return path


def relay_data(store: JobStore, job: Job, source: Place, target: Place) -> int:
    """Copies the stopped job's files, as they are, to the target; returns their bytes on the host."""
    here = store.move(job.name) / "data"
    shutil.rmtree(here, ignore_errors=True)
    source.node.get(source.data, here)
    target.node.put(here, target.data)
    return size(here)


def fetch_dump(store: JobStore, job: Job, source: Place) -> int:
    """Copies the dump to the host; returns its bytes."""
    here = store.move(job.name) / "images" / "dump"
    source.node.get(source.dump, here, IMAGES)
    return size(here)


def ship_images(store: JobStore, job: Job, target: Place) -> int:
    """Copies the dump and the transformed image, which refers to it, to the target; returns their bytes."""
    here = store.move(job.name) / "images"
    target.node.put(here, target.images, given=Given())
    return size(here)


def size(directory: Path) -> int:
    """Bytes in a directory's files."""
    return sum(path.lstat().st_size for path in directory.rglob("*") if not path.is_dir())


def human(count: float) -> str:
    """A number of bytes for people: 1.5 MB."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is asked of a job while it runs: whether it has ended, and what it has printed. Nothing here works on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from transproc.cluster import scripts
from transproc.cluster.base import DATA, Node
from transproc.cluster.job import Job, State
from transproc.cluster.locks import BRIEF
from transproc.cluster.place import Place
from transproc.cluster.store import JobStore
from transproc.errors import ConflictError, TransprocError

POLL = 0.1
"""Seconds between two looks at a job."""


def refresh(store: JobStore, job: Job, place: Place, *, locked: bool = False) -> Job:
    """Notices that a running job has ended; returns the present record.

    It is recorded unless another command works on the job, which will find out itself. `locked`: the caller does.
    """
    if not job.runs or (status := place.exit_status()) is None:
        return job
    if locked:
        return record_end(store, job, status)
    try:
        with store.lock(job.name, BRIEF):
            return record_end(store, job, status)
    except TransprocError:  # it is being worked on, or its record has changed or gone
        return store.load(job.name)


def record_end(store: JobStore, job: Job, status: str) -> Job:
    """Records how a program has ended; returns the present record. The job's lock is held."""
    if job.owed_by:  # nothing asks for its memory any more
        job.leftovers.append(job.owed_by)
    job.exit, job.state, job.target, job.owed_by = status, State.EXITED, None, None
    try:
        store.save(job)
    except ConflictError:
        return store.load(job.name)
    return job


def ended_on(node: Node) -> dict[str, str]:
    """Names and ids of the jobs that have ended on a node, in one question. Raises `NodeError`."""
    lines = node.output(["sh", "-c", scripts.EXITS, "sh", str(DATA / "jobs")]).splitlines()
    return {name: identity for name, _, identity in (line.partition(" ") for line in lines)}


def wait(store: JobStore, name: str, place_of: Callable[[Job], Place], timeout: float | None = None) -> Job:
    """Waits for a job's end, wherever it moves meanwhile; raises `TransprocError` after `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        job = store.load(name)
        if job.state is not State.EXITED:
            job = refresh(store, job, place_of(job))
        if job.state is State.EXITED:
            return job
        if deadline is not None and time.monotonic() > deadline:
            raise TransprocError(
                f"job {name}: has not ended after {timeout:g} s; it is {job.state} on {job.node}"
            )
        time.sleep(POLL)


def follow(
    store: JobStore, name: str, place_of: Callable[[Job], Place], stream: str = "stdout"
) -> Iterator[tuple[str, bytes]]:
    """What a job prints, with the node where it was printed, until its end; waits for more."""
    offset = 0
    while True:
        job = store.load(name)
        place = place_of(job)
        ended = refresh(store, job, place).state is State.EXITED
        data = place.read(stream, offset)
        offset += len(data)
        if data:
            yield job.node, data
        elif ended:
            return
        else:
            time.sleep(POLL)


def exit_code(status: str | None) -> int:
    """A status as a shell gives it: the program's own, or 128 + signal; 1 if nobody knows it.

    `status` is "status N", "signal N" or "lost".
    """
    kind, _, number = (status or "").partition(" ")
    if kind not in ("status", "signal"):
        return 1
    return int(number) + (128 if kind == "signal" else 0)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job is ended."""

from __future__ import annotations

from contextlib import suppress

from transproc.cluster import checkpoints
from transproc.cluster.job import Job, State
from transproc.cluster.operations.context import Context
from transproc.errors import NodeError, TransprocError


def kill(context: Context, name: str, *, remove: bool = False) -> None:
    """Ends a job with SIGKILL, and every copy that a migration left behind; with `remove` forgets it and all that it has.

    Raises `NodeError` for a node that does not answer; with `remove` it is noted and skipped: `sweep` clears it later. A record
    that is damaged can be removed.
    """
    with context.store.lock(name, "kill"):
        job = _loaded(context, name) if remove else context.store.load(name)
        if job is not None:
            with context.attempt(job, "kill"):
                end(context, job, remove=remove)
        if remove:
            context.store.remove(name)


def end(context: Context, job: Job, *, remove: bool, exit: str = "signal 9") -> None:
    """Ends all of a job; of its files those on the node that holds it stay unless `remove` is set. `exit`: what is recorded."""
    for node in job.nodes:
        _end_on(context, job, node, remove)
    for node in job.visited:
        with suppress(NodeError):  # it is removed there after some days
            context.places(job, node).files.forget_kept()
    if job.state is not State.EXITED:
        job.state, job.exit = State.EXITED, exit
    job.target = job.owed_by = None
    context.store.save(job)
    context.store.forget_images(job.name)
    for path in context.store.drafts(job):
        checkpoints.Draft(path).discard()


def _end_on(context: Context, job: Job, node: str, remove: bool) -> None:
    here = node == job.node
    try:
        place = context.places(job, node)
        place.become_quiet()
        if remove or not here:
            place.end()
        elif job.state is not State.EXITED:
            for pid in place.found():
                place.tool.kill(pid)
            place.forget_images()
    except NodeError as error:
        if not remove:
            raise
        context.events.note(
            f"{error.message}; what {job.name} has there is left: 'transproc recover' removes it later"
        )
    if node in job.leftovers:
        job.leftovers.remove(node)


def _loaded(context: Context, name: str) -> Job | None:
    """None for a damaged record, which has nothing to tell."""
    if name in context.store.names():
        try:
            return context.store.load(name)
        except TransprocError as error:
            context.events.note(f"{error.message}; 'transproc recover' ends its processes")
            return None
    return context.store.load(name)


def discard(context: Context, name: str) -> None:
    """As `kill` with `remove`, for a job that may not exist; nothing is raised for what cannot be removed now."""
    if name not in context.store.names():
        return
    try:
        kill(context, name, remove=True)
    except TransprocError as error:
        context.events.note(error.message)

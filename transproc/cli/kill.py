"""`transproc kill`: ends a job."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common
from transproc.cluster.job import Job, State
from transproc.cluster.store import JobStore
from transproc.errors import NodeError


def kill(
    name: Annotated[str, common.NAME],
    remove: Annotated[
        bool, typer.Option("--remove", help="Forget the job, its output and files as well.")
    ] = False,
) -> None:
    """Ends a job with SIGKILL, and every stopped copy that a migration left behind.

    A node that does not answer is named and skipped with --remove; without it that is an error.

    \b
    Examples:
      transproc kill nbody
      transproc kill --remove nbody
    """
    store = JobStore()
    with store.lock(name):
        job = store.load(name)
        for node in dict.fromkeys([*job.leftovers, *([job.target] if job.target else []), job.node]):
            _kill(store, job, node, remove)
        if remove:
            store.remove(name)
            return
        if job.state is not State.EXITED:
            job.state, job.target, job.exit = State.EXITED, None, "signal 9"
        store.save(job)


def _kill(store: JobStore, job: Job, node: str, remove: bool) -> None:
    try:
        place = common.place_of(job, node)
        place.kill(job.pid, moved=node != job.node)
        if remove or node != job.node:
            place.remove()
    except NodeError as error:
        if not remove:
            raise
        typer.echo(f"{error.message}; its copy of {job.name} is left there", err=True)
    if node in job.leftovers:
        job.leftovers.remove(node)
        store.save(job)


app = common.application(kill)

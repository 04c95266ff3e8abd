"""`transproc dump`: a paused job's image."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc import log
from transproc.cli import common
from transproc.cluster.job import State
from transproc.cluster.place import PauseRequest
from transproc.cluster.store import JobStore


def dump(name: Annotated[str, common.NAME]) -> None:
    """Writes a job's image with CRIU, brings it to this host, and prints where it is. Pauses the job if it runs.

    The job stays stopped on its node. 'transproc resume NAME' undoes it: the job goes on, the image is stale.

    \b
    Example:
      transproc dump nbody && transproc show nbody
    """
    store = JobStore()
    with store.lock(name):
        job = common.current(store, name)
        common.expect(job, State.RUNNING, State.PAUSED)
        move = common.move_of(store, job)
        if job.state is State.RUNNING:
            with log.step(f"pause {name} on {job.node}") as step:
                step.detail = move.pause(PauseRequest())
        move.source.make_images()
        with log.step("dump") as step:
            step.detail = move.dump()
        with log.step("fetch") as step:
            step.detail = move.fetch()
    typer.echo(move.images / "dump")


app = common.application(dump)

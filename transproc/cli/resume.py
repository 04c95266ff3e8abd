"""`transproc resume`: a stopped job goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc import log
from transproc.cli import common
from transproc.cluster.job import State
from transproc.cluster.move import Move
from transproc.cluster.place import Liveness
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError


def resume(
    name: Annotated[str, common.NAME],
    source: Annotated[
        bool, typer.Option("--source", help="After restore: undo it, the copy on the source node goes on.")
    ] = False,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="With --source: though the other node does not answer.")
    ] = False,
) -> None:
    """Lets a paused, dumped, transformed or restored job go on; never two copies of it.

    After pause, dump or transform the job goes on where it is. After restore it goes on on the new node, and the old
    copy ends. After a migration that was cut off, this finds out what became of it and finishes or undoes it.

    --source --force is for a new node that is lost for good: if it comes back with its copy, two of them run.

    \b
    Examples:
      transproc resume nbody
      transproc resume nbody --source
    """
    store = JobStore()
    with store.lock(name):
        job = store.load(name)
        if job.state in (State.STARTING, State.EXITED):
            common.expect(job, State.PAUSED)
        move = common.move_of(store, job, job.target)
        if job.target is None or source:
            with log.step(f"resume {name} on {job.node}"):
                _source(move, force)
        else:
            with log.step(f"resume {name} on {job.target}"):
                _target(move)
        typer.echo(f"{name} runs on {job.node}")


def _source(move: Move, force: bool) -> None:
    if move.job.target:
        move.abandon_target(never_ran=force)
    move.resume_source()


def _target(move: Move) -> None:
    liveness = move.target.liveness(move.job.pid)
    if liveness is Liveness.GONE:
        raise TransprocError(
            f"job {move.job.name}: there is no copy on node {move.target.node.name}",
            hint=f"'transproc resume {move.job.name} --source' lets the one on {move.source.node.name} go on",
        )
    if liveness is Liveness.RUNNING:
        move.adopt()
    else:
        move.commit()
    if left := move.retire():
        log.note(left)


app = common.application(resume)

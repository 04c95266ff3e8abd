"""`transproc transform`: an image for the other ISA."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc import log
from transproc.cli import common
from transproc.cluster.job import State
from transproc.cluster.store import JobStore
from transproc.isa import ALL


def transform(
    name: Annotated[str, common.NAME],
    to: Annotated[
        str | None, typer.Option("--to", metavar="ISA", help="The target's ISA [default: the other].")
    ] = None,
) -> None:
    """Turns a dumped job's image into one for the other ISA and prints where it is. The dump is not changed.

    'transproc resume NAME' undoes it: the job goes on where it was.

    \b
    Example:
      transproc dump nbody && transproc transform nbody && transproc restore nbody --node arm
    """
    store = JobStore()
    with store.lock(name):
        job = store.load(name)
        common.expect(job, State.DUMPED, State.TRANSFORMED)
        move = common.move_of(store, job)
        isa = to or next(isa.name for isa in ALL if isa.name != move.source.node.isa)
        with log.step(f"transform {name} to {isa}") as step:
            step.detail = move.transform(isa)
    typer.echo(move.images / "image")


app = common.application(transform)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc resume`: a stopped job goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common, options


def resume(
    name: Annotated[str, options.NAME],
    source: Annotated[
        bool, typer.Option("--source", help="After restore: undo it, the copy on the source node goes on.")
    ] = False,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="With --source: though the other node does not answer.")
    ] = False,
    paused: Annotated[
        bool, typer.Option("--paused", help="After restore: the new copy is the job, and stays stopped.")
    ] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Lets a paused, dumped, transformed, shipped or restored job go on; never two copies of it.

    After pause, dump, transform or ship the job goes on where it is. After restore it goes on on the new node, and the old
    copy ends. After a migration that was cut off, this finds out what became of it and finishes or undoes it.

    --source --force is for a new node that is lost for good: if it comes back with its copy, two of them run.

    \b
    Examples:
      transproc resume nbody
      transproc resume nbody --source
      transproc resume nbody --paused && transproc pause nbody --at advance    it moves, and stops at its next call of advance()
    """
    from transproc.controller.requests.jobs import Resume

    job = common.perform(Resume(name, source=source, force=force, paused=paused))
    if as_json:
        common.show_json(job)
    else:
        typer.echo(f"{name} {'runs' if job['state'] == 'running' else 'stays paused'} on {job['node']}")


app = common.application(resume)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc restart`: a job is started from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transproc.cli import common, completing, options


def restart(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The checkpoint, as it was printed.", show_default=False)
    ],
    node: Annotated[
        str,
        typer.Option(
            "--node", help="Where it is to run.", show_default=False, autocompletion=completing.nodes
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option("--name", help="The new job's name [default: as in the checkpoint].")
    ] = None,
    paused: Annotated[
        bool, typer.Option("--paused", help="Leave it stopped: 'resume' lets it go on.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Although files beyond its directory are not as they were.")
    ] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Starts a job from a checkpoint, on a node of either ISA: the moment it was taken, with its memory and files.

    Nothing but the directory is needed, so it may be done days later and from another host; and several times, each of which is a
    job of its own. Processes get the ids that they had: these must be free on the node.

    \b
    Examples:
      transproc restart /backup/nbody-20261128T141502Z-3 --node arm
      transproc restart /backup/nbody-20261128T141502Z-3 --node x86 --name second
    """
    from transproc.controller.requests.start import Restart

    where = str(directory if common.remote() else directory.absolute())
    job = common.perform(Restart(where, node, name=name, paused=paused, force=force))
    if as_json:
        common.show_json(job)
    else:
        typer.echo(f"{job['name']} {'is paused' if paused else 'runs'} on {job['node']}")


app = common.application(restart)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc inspect`: what a checkpoint holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transproc.cli import common, options


def inspect(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="A checkpoint, or a directory with several, which are listed [default: where they are by default].",
        ),
    ] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all of it, and compare the checksums.")
    ] = False,
    stacks: Annotated[bool, typer.Option("--stacks", help="The stack of each thread, with values.")] = False,
    nodes: Annotated[
        bool, typer.Option("--nodes/--no-nodes", help="Ask the nodes whether it can be restarted there.")
    ] = True,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Shows what a checkpoint holds, how old it is, and on which nodes it can be restarted as things are.

    With --controller, DIR is on the controller's host.

    \b
    Examples:
      transproc inspect
      transproc inspect /backup
      transproc inspect /backup/nbody-20261128T141502Z-3
      transproc inspect /backup/nbody-20261128T141502Z-3 --verify --no-nodes --json
    """
    words = {"verify": verify, "stacks": stacks, "nodes": nodes}
    if (there := common.remote()) is None:
        from transproc.controller import looks

        common.show_look(vars(looks.checkpoint(common.context(), directory, **words)), as_json)
    else:
        where = None if directory is None else str(directory)
        common.show_look(there.ask("/inspect", {"directory": where, **words}), as_json)


app = common.application(inspect)

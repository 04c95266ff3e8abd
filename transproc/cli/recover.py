# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc recover`: whatever was cut off is settled."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common
from transproc.errors import TransprocError


def recover(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="The job's name [default: all jobs, and what is left of others]."
        ),
    ] = None,
    *,
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Settles what a command that was killed, a full disk or a lost node has left half done, by asking the nodes.

    A migration is finished if the job runs on its new node, else taken back: one copy goes on. A start is finished if the program
    runs, else undone. Copies, directories and images that belong to no job any more are removed, here and on every node that
    answers. It may be done at any time: what is in order, and what another command works on, is left alone.

    \b
    Examples:
      transproc recover
      transproc recover nbody
    """
    from transproc.cluster import operations

    context = common.context()
    if name is not None:
        done, failures = [operations.recover(context, name)], 0
    else:
        done, failures = [], 0
        for job in context.store.names():
            try:
                done.append(operations.recover(context, job))
            except TransprocError as error:
                failures += 1
                typer.echo(error.message + (f"; {error.hint}" if error.hint else ""), err=True)
        done += operations.sweep(context)
    if as_json:
        common.show_json({"done": done, "failures": failures})
    else:
        for line in done:
            typer.echo(line)
    if failures:
        raise typer.Exit(1)


app = common.application(recover)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc recover`: whatever was cut off is settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from transproc import log
from transproc.cli import common, completing, options
from transproc.errors import TransprocError

if TYPE_CHECKING:
    from transproc.cluster.operations import Context
    from transproc.controller.client import Client


def recover(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The job's name [default: all jobs, and what is left of others].",
            autocompletion=completing.jobs,
        ),
    ] = None,
    *,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Settles what a command that was killed, a full disk or a lost node has left half done, by asking the nodes.

    A migration is finished if the job runs on its new node, else taken back: one copy goes on. A start is finished if the
    program runs, else undone. A plan that was cut off is ended: its jobs that it had stopped go on. Copies, directories and
    images that belong to no job any more are removed, here and on every node that answers. It may be done at any time: what is
    in order, and what another command works on, is left alone.

    \b
    Examples:
      transproc recover
      transproc recover nbody
    """
    if (there := common.remote()) is not None:
        _at(there, name, as_json=as_json)
        return
    from transproc import scratch
    from transproc.cluster import operations

    context = common.context()
    done: list[str] = []
    failures = 0
    for act in _acts(context, name):
        try:
            done += [found] if (found := act()) else []
        except TransprocError as error:
            if name is not None:
                raise
            failures += 1
            typer.echo(error.message + (f"; {error.hint}" if error.hint else ""), err=True)
    done += operations.sweep(context) if name is None else []
    scratch.sweep()
    if as_json:
        common.show_json({"done": done, "failures": failures})
    else:
        for line in done:
            typer.echo(line)
    if failures:
        raise typer.Exit(1)


def _at(client: Client, name: str | None, *, as_json: bool) -> None:
    """Each job at a controller, which settles plans and remainders by itself."""
    from transproc.controller.requests.jobs import Recover

    done, failures = [], 0
    for job in [name] if name else [entry["name"] for entry in client.jobs()]:
        try:
            done.append(client.perform(Recover(job), log))
        except TransprocError as error:
            if name is not None:
                raise
            failures += 1
            typer.echo(error.message + (f"; {error.hint}" if error.hint else ""), err=True)
    if as_json:
        common.show_json({"done": done, "failures": failures})
    else:
        for line in done:
            typer.echo(line)
    if failures:
        raise typer.Exit(1)


def _acts(context: Context, name: str | None) -> Iterator[Callable[[], str | None]]:
    """What is to be settled: plans first, since they have stopped jobs that are otherwise in order."""
    from transproc.automation.plans import recover as plans
    from transproc.automation.plans.records import jobs
    from transproc.cluster import operations

    for plan in plans.open_plans(context.store):
        if name is None or name in jobs(context.store, plan.number):
            yield partial(plans.recover, context, plan)
    for job in context.store.names() if name is None else [name]:
        yield partial(operations.recover, context, job)


app = common.application(recover)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc pause`: stops a job where its state is known on both ISAs."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common, options


def pause(
    name: Annotated[str, options.NAME],
    *,
    at: Annotated[
        str | None, typer.Option("--at", metavar="WHERE", help="Not before this function or address.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="At the COUNT-th site from now on.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="Then let it run on.")
    ] = 10.0,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Stops a job, all its processes and threads, at equivalence points. 'transproc resume NAME' undoes it.

    If a thread does not get to such a point in time, the job runs on as if nothing had been. With --at or --count a paused
    job goes on until it gets there.

    \b
    Examples:
      transproc pause nbody
      transproc pause nbody --at advance      when it calls advance() next
    """
    from transproc.controller.requests.jobs import Pause

    job = common.perform(Pause(name, at=at, count=count, timeout=timeout))
    if as_json:
        common.show_json(job)


app = common.application(pause)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc wait`: until a job ends."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.cluster.store import JobStore
from transproc.cluster.watch import exit_code, wait


def wait_for(
    name: Annotated[str, options.NAME],
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Give up after.")
    ] = None,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Waits for a job's end, wherever it moves, and exits with its status (128 + N after signal N).

    \b
    Example:
      transproc wait nbody && echo well done
    """
    if (there := common.remote()) is not None:
        found = there.wait(name, timeout)
        if as_json:
            common.show_json(found)
        raise typer.Exit(exit_code(found["exit"]))
    job = wait(JobStore(), name, common.place_of, timeout)
    if as_json:
        common.show_json(job.as_dict())
    raise typer.Exit(exit_code(job.exit))


app = common.application(wait_for)

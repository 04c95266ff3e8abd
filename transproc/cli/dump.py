# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc dump`: a paused job's image."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common, options


def dump(name: Annotated[str, options.NAME], *, as_json: Annotated[bool, options.JSON] = False) -> None:
    """Writes a job's image with CRIU, brings it to this host, and prints where it is. Pauses the job if it runs.

    The job stays stopped on its node. 'transproc resume NAME' undoes it: the job goes on, the image is stale.

    \b
    Example:
      transproc dump nbody && transproc show nbody
    """
    from transproc.controller.requests.move import Dump

    job = common.perform(Dump(name))
    if as_json:
        common.show_json(job)
    else:
        typer.echo(job["image"])


app = common.application(dump)

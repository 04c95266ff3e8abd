# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc transform`: an image for the other ISA."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common, options


def transform(
    name: Annotated[str, options.NAME],
    to: Annotated[
        str | None, typer.Option("--to", metavar="ISA", help="The target's ISA [default: the other].")
    ] = None,
    *,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Turns a dumped job's image into one for the other ISA and prints where it is. The dump is not changed.

    'transproc resume NAME' undoes it: the job goes on where it was.

    \b
    Example:
      transproc dump nbody && transproc transform nbody && transproc restore nbody --node arm
    """
    from transproc.controller.requests.move import Transform

    job = common.perform(Transform(name, to))
    if as_json:
        common.show_json(job)
    else:
        typer.echo(job["image"])


app = common.application(transform)

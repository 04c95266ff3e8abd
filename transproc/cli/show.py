# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc show`: what is in an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.errors import TransprocError


def show(
    what: Annotated[
        str,
        typer.Argument(metavar="DIR|NAME", help="An image directory, or a dumped job.", show_default=False),
    ],
    pair: Annotated[
        list[Path] | None, typer.Option("--pair", metavar="PATH", help="The program, or a directory with it.")
    ] = None,
    values: Annotated[
        bool, typer.Option("--values/--no-values", help="The live values of each frame.")
    ] = True,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Shows what an image holds: processes, open files, memory, and each thread's stack.

    A directory is one of this host, also with --controller; a job's image is where the job is managed. A frame is shown with its
    function, source line (with -g) and live values. A transformed image has a resume record in the place of each frame.

    \b
    Examples:
      transproc show nbody
      transproc show images/dump --pair ./nbody
    """
    if "/" in what or Path(what).is_dir():
        from transproc.controller import looks

        if not Path(what).is_dir():
            raise TransprocError(f"{what}: no such directory")
        common.show_look(vars(looks.image(Path(what), pair or [Path()], values=values)), as_json)
    elif (there := common.remote()) is not None:
        if pair:
            raise typer.BadParameter("the controller has the program of its job", param_hint="'--pair'")
        from transproc.controller.client import quoted

        common.show_look(there.get(f"/jobs/{quoted(what)}/image", values=str(values).lower()), as_json)
    else:
        from transproc.controller import looks

        common.show_look(vars(looks.job(common.host().store, what, pair, values=values)), as_json)


app = common.application(show)

"""`transproc check`: whether a program's two binaries agree."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from transproc.binary.pair import check as compare
from transproc.cli import common


def check(
    program: Annotated[
        Path, typer.Argument(metavar="PROG", help="As transproc-cc wrote it.", show_default=False)
    ],
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Compares a program's two binaries: addresses, functions, sites and live values must be the same.

    Exits with 1 if they disagree.

    \b
    Example:
      transproc check ./nbody
    """
    report = compare(program)
    if as_json:
        common.show_json({**dataclasses.asdict(report), "agrees": report.agrees})
    else:
        rows = [
            (key.replace("_", " "), value)
            for key, value in dataclasses.asdict(report).items()
            if isinstance(value, int)
        ]
        common.table(rows, (report.program, "agrees" if report.agrees else "DISAGREES"))
        for problem in report.problems:
            typer.echo(problem)
    if not report.agrees:
        raise typer.Exit(1)


app = common.application(check)

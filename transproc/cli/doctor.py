# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc doctor`: what is missing, and how to get it."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.lab import checkup
from transproc.lab import doctor as this_machine
from transproc.lab.lab import Lab


def doctor(
    nodes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NODE]...", help="Nodes to look at.", show_default="the lab's"),
    ] = None,
    *,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Says what this machine and the nodes lack, and how to get it. Exits with 1 if something is missing.

    \b
    Examples:
      transproc doctor
      transproc doctor pi
    """
    findings = {"this machine": this_machine.host()}
    for name in nodes or [machine.name for machine in Lab().status() if machine.alive]:
        findings[name] = checkup.node(common.node(name))
    if as_json:
        common.show_json({name: common.plain(found) for name, found in findings.items()})
    else:
        for name, found in findings.items():
            typer.echo(f"{name}:")
            common.show_findings(common.plain(found))
    if not all(one.ok for found in findings.values() for one in found):
        raise typer.Exit(1)


app = common.application(doctor)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc migrate`: a running job moves to another node."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from transproc.cli import common


def migrate(
    name: Annotated[str, common.NAME],
    to: Annotated[str, typer.Option("--to", metavar="NODE", help="Where it goes.", show_default=False)],
    *,
    at: Annotated[
        str | None, typer.Option("--at", metavar="WHERE", help="Not before this function or address.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For the pause; then the job stays.")
    ] = 10.0,
    tcp_close: Annotated[
        bool, typer.Option("--tcp-close", help="End its TCP connections; else it is refused if it has any.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="The images stay on this host; else none are left anywhere.")
    ] = False,
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Moves a job to another node, of either ISA, while it runs: as a whole or not at all.

    If anything fails before the job runs on the new node, it goes on where it was, and the error says so.

    \b
    Examples:
      transproc migrate nbody --to arm
      transproc migrate nbody --to x86 --at advance
      transproc migrate server --to arm --tcp-close
    """
    common.connect(name, to)
    from transproc.cluster import operations
    from transproc.process.criu import Options

    options = Options(tcp_close=tcp_close)
    hop = operations.migrate(common.context(), name, to, at=at, timeout=timeout, options=options, keep=keep)
    if as_json:
        common.show_json(dataclasses.asdict(hop))
    else:
        typer.echo(f"{name} runs on {to}; downtime {hop.downtime:.2f} s")


app = common.application(migrate)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc migrate`: a running job moves to another node."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from transproc.cli import common, completing, options


def migrate(
    name: Annotated[str, options.NAME],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="NODE",
            help="Where it goes.",
            show_default=False,
            autocompletion=completing.nodes,
        ),
    ] = None,
    *,
    labels: Annotated[
        list[str] | None,
        typer.Option("--to-label", metavar="LABEL", help="To the best node with it; may be repeated."),
    ] = None,
    anywhere: Annotated[bool, typer.Option("--any", help="To the best node of all others.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Would it work, and how long would it take? Nothing moves.")
    ] = False,
    at: Annotated[
        str | None, typer.Option("--at", metavar="WHERE", help="Not before this function or address.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For the pause; then the job stays.")
    ] = 10.0,
    tcp_close: Annotated[
        bool, typer.Option("--tcp-close", help="End its TCP connections; else it is refused if it has any.")
    ] = False,
    lazy: Annotated[
        bool,
        typer.Option("--lazy", help="It goes on at once; most of a large memory follows it (post-copy)."),
    ] = False,
    precopy: Annotated[
        bool,
        typer.Option(
            "--precopy", help="Most of a large memory is sent ahead, while it runs; then what has changed."
        ),
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="It stands until all of its memory is there, however large.")
    ] = False,
    bandwidth: Annotated[
        str,
        typer.Option(
            "--bandwidth",
            metavar="RATE",
            help="At most so many bytes of large memory a second (20M).",
        ),
    ] = "",
    keep: Annotated[
        bool, typer.Option("--keep", help="The images stay on this host; else none are left anywhere.")
    ] = False,
    checkpoint_first: Annotated[
        bool,
        typer.Option("--checkpoint-first", help="Make a checkpoint, kept until all of its memory has moved."),
    ] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Moves a job to another node, of either ISA, while it runs: as a whole or not at all.

    If anything fails before the job runs on the new node, it goes on where it was, and the error says so. With --lazy
    it may run there before all of its memory has come: if the link is lost it waits for what it needs, and
    'transproc recover NAME' brings that. If the old node is lost for good in that time, so is the job, but for the checkpoint of
    --checkpoint-first.

    With --precopy memory is sent ahead while the job runs, in rounds; the pause compares all of it, and sends what has changed
    since. With --lazy as well, the job goes on before that comparison. Without any of these, memory of 64 MB or more goes
    ahead, and what changes faster than it can be sent follows; with --plain the job stands until all is there.

    The best node is the one that has the least to do and can take the job; among equals, the cheapest. A node has its own name,
    its ISA, and what nodes.toml says as labels.

    \b
    Examples:
      transproc migrate nbody --to arm
      transproc migrate nbody --to x86 --at advance
      transproc migrate nbody --to-label aarch64 --dry-run
      transproc migrate server --to arm --tcp-close
      transproc migrate model --to big --lazy --bandwidth 50M
      transproc migrate model --to big --precopy
      transproc migrate model --to big --lazy --checkpoint-first
    """
    if plain and (lazy or precopy):
        raise typer.BadParameter("it excludes --lazy and --precopy", param_hint="'--plain'")
    if (to is not None) + bool(labels) + anywhere != 1:
        raise typer.BadParameter("expected one of --to NODE, --to-label LABEL, --any", param_hint="'--to'")
    from transproc.cluster import transfer
    from transproc.controller.requests.move import Forecast, Migrate

    goal: dict[str, Any] = {"to": to, "labels": labels or [], "anywhere": anywhere, "tcp_close": tcp_close}
    goal |= {"lazy": lazy, "precopy": precopy, "plain": plain, "rate": transfer.rate(bandwidth)}
    if dry_run:
        _show(common.perform(Forecast(name, **goal)), as_json=as_json)
        return
    hop = common.perform(
        Migrate(name, at=at, timeout=timeout, keep=keep, checkpoint_first=checkpoint_first, **goal)
    )
    if as_json:
        common.show_json(hop)
    else:
        typer.echo(f"{name} runs on {hop['target']}; downtime {hop['downtime']:.2f} s")


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    """What is to be expected, and why it is none of the other nodes."""
    if as_json:
        common.show_json(found)
        return
    from transproc.text import human

    (source, target), downtime, whole = found["isas"], found["downtime"], found["whole"]
    typer.echo(f"{found['job']} can move from {found['source']} ({source}) to {found['target']} ({target})")
    typer.echo(f"  memory    {human(found['memory'])}")
    typer.echo(f"  way       {found['way']}")
    typer.echo(f"  downtime  {downtime['low']:.2f} to {downtime['high']:.2f} s")
    typer.echo(f"  as a whole {whole['low']:.2f} to {whole['high']:.2f} s ({found['basis']})")
    if found["others"]:
        typer.echo("other nodes:")
        common.table([(f"  {node}", reason) for node, reason in found["others"].items()])


app = common.application(migrate)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc bench`: how long migrations take, step by step; and the NAS Parallel Benchmarks."""

from __future__ import annotations

import dataclasses
import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from transproc.cli import common, npb, options, trials
from transproc.cluster import operations
from transproc.cluster.job import Hop
from transproc.cluster.rehearsal import Plan
from transproc.cluster.start import Program
from transproc.scratch import Scratch
from transproc.text import human

SITES = 1000
"""Between migrations of programs that are too short for random moments."""


class OneDefault(TyperGroup):
    """`bench PROG` is `bench migrate PROG`: what is not the name of a command begins the arguments of the first one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the default command's name before its arguments."""
        if args and args[0] not in (*self.commands, "--help"):
            args = [next(iter(self.commands)), *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(cls=OneDefault, add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measures migrations: of a program of yours, to and fro, or of the NAS Parallel Benchmarks.

    \b
    Examples:
      transproc bench --hops 10 -- ./nbody 100000
      transproc bench npb --src NPB3.3-SER-C --class S --hops 2
    """


@app.command(context_settings=options.PASS_ON)
def migrate(
    program: Annotated[str, options.PROGRAM],
    arguments: Annotated[list[str] | None, options.ARGUMENTS] = None,
    *,
    hops: Annotated[int, typer.Option("--hops", min=1, help="How many migrations.")] = 6,
    every: Annotated[float, typer.Option("--every", metavar="MS", help="Time between them.")] = 300.0,
    nodes: Annotated[str, options.NODES] = "x86,arm",
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Migrates PROG to and fro while it runs, and prints the times of each step and the downtime, in milliseconds.

    PROG must run long enough for all migrations; it is ended after the last one. The word 'migrate' may be left out.
    """
    done = _migrate(common.program(program, arguments), common.two_nodes(nodes), hops, every / 1000)
    if as_json:
        common.show_json([dataclasses.asdict(hop) for hop in done])
        return
    names = list(dict.fromkeys(step for hop in done for step in hop.steps))
    rows = [_row(name, [hop.steps[name] for hop in done if name in hop.steps]) for name in names]
    rows.append(_row("downtime", [hop.downtime for hop in done]))
    common.table(rows, ("STEP", "MEDIAN", "MIN", "MAX"))
    typer.echo(f"sent {human(statistics.median(hop.bytes_sent for hop in done))} each time")


@app.command("npb")
def suite(
    source: Annotated[
        Path, typer.Option("--src", metavar="DIR", help="NPB3.3-SER-C, as SNU published it. Not changed.")
    ],
    *,
    which: Annotated[str, typer.Option("--class", metavar="S|W|A|B|C", help="Size of the problems.")] = "S",
    hops: Annotated[int, typer.Option("--hops", min=1, help="Migrations of each program.")] = 2,
    only: Annotated[str, typer.Option("--only", metavar="CG,EP,…", help="Of the programs, these.")] = "",
    at: Annotated[
        int | None,
        typer.Option("--at", metavar="K", min=1, help="After each K sites [default: at random moments]."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random moments.")] = 1,
    nodes: Annotated[str, options.NODES] = "x86,arm",
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For each run.")] = 3600.0,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Compiles the programs of the suite with transproc-cc and rehearses each: do its results stay the same, bit for bit?

    Exits with 0 only if every program that the directory holds passes. A program that ends too early for migrations at
    random moments is migrated after numbers of sites instead.
    """
    if which not in npb.CLASSES or len(which) != 1:
        raise typer.BadParameter(f"{which}: expected one of {', '.join(npb.CLASSES)}", param_hint="'--class'")
    chosen = set(only.upper().split(",")) if only else set(npb.PROGRAMS)
    pair = common.two_nodes(nodes)
    results = []
    with Scratch() as work:
        for made in npb.build(source, work, which, chosen):
            exact = Plan(at=[at or SITES] * hops, seed=seed)
            plans = [exact] if at else [Plan(hops, seed=seed), exact]
            if made.binary is None:
                results.append(trials.failed(made.name, made.problem))
            else:
                program = Program([str(made.binary)])
                results.append(trials.trial(made.name, program, pair, plans, timeout=timeout))
    trials.show(results, as_json=as_json)


def _migrate(program: Program, nodes: list[str], hops: int, pause: float) -> list[Hop]:
    context = common.context()
    name = context.store.free_name(f"bench-{program.name}")
    try:
        operations.run(context, program, nodes[0], name=name)
        done = []
        for hop in range(hops):
            time.sleep(pause)
            done.append(operations.migrate(context, name, nodes[(hop + 1) % 2]))
        return done
    finally:
        operations.discard(context, name)


def _row(name: str, seconds: list[float]) -> tuple[str, str, str, str]:
    median, low, high = (f"{1000 * f(seconds):.1f}" for f in (statistics.median, min, max))
    return name, median, low, high

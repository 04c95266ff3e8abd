"""`transproc bench`: how long migrations take, step by step."""

from __future__ import annotations

import dataclasses
import statistics
import time
from typing import Annotated

import typer

from transproc.cli import common
from transproc.cluster.job import Hop, Job, JobStore
from transproc.cluster.migration import Migration
from transproc.cluster.start import Program, discard, start
from transproc.cluster.transfer import human
from transproc.transform import pipeline


def bench(
    program: Annotated[str, common.PROGRAM],
    arguments: Annotated[list[str] | None, common.ARGUMENTS] = None,
    *,
    hops: Annotated[int, typer.Option("--hops", min=1, help="How many migrations.")] = 6,
    every: Annotated[float, typer.Option("--every", metavar="MS", help="Time between them.")] = 300.0,
    nodes: Annotated[str, common.NODES] = "x86,arm",
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Migrates PROG to and fro while it runs, and prints the times of each step and the downtime, in milliseconds.

    PROG must run long enough for all migrations; it is ended after the last one.

    \b
    Example:
      transproc bench --hops 10 -- ./nbody 100000
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


def _migrate(program: Program, nodes: list[str], hops: int, pause: float) -> list[Hop]:
    store = JobStore()
    job = Job(store.free_name(f"bench-{program.name}"), nodes[0], [program.name, *program.argv[1:]])
    try:
        start(store, common.place_of(job), program)
        done = []
        for hop in range(hops):
            time.sleep(pause)
            target = common.place_of(job, nodes[(hop + 1) % 2])
            done.append(
                Migration(store, job, common.place_of(job), target, transform=pipeline.transform).run()
            )
        return done
    finally:
        discard(store, job.name, common.place_of)


def _row(name: str, seconds: list[float]) -> tuple[str, str, str, str]:
    median, low, high = (f"{1000 * f(seconds):.1f}" for f in (statistics.median, min, max))
    return name, median, low, high


app = common.application(bench, context_settings=common.PASS_ON)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc rehearse`: does a program survive migrations unchanged?"""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path
from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.cluster.outcome import write_tree
from transproc.cluster.rehearsal import Plan, Rehearsal, Verdict
from transproc.errors import TransprocError


def rehearse(
    program: Annotated[str, options.PROGRAM],
    arguments: Annotated[list[str] | None, options.ARGUMENTS] = None,
    *,
    hops: Annotated[int, typer.Option("--hops", min=1, help="How many migrations.")] = 2,
    every: Annotated[
        float | None,
        typer.Option(
            "--every", metavar="MS", help="Average time between them [default: spread over the run]."
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="K,L,…", help="Migrate after K sites, then after L more, …")
    ] = None,
    within: Annotated[
        int | None,
        typer.Option(
            "--within", metavar="N", min=1, help="At random sites, at most N apart, not at random moments."
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            "--after", metavar="FUNCTION", help="Begin when the program first enters that function."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of the random moments [default: a new one].")
    ] = None,
    nodes: Annotated[str, options.NODES] = "x86,arm",
    stdin: Annotated[Path | None, options.STDIN] = None,
    files: Annotated[Path | None, options.FILES] = None,
    env: Annotated[list[str] | None, options.ENV] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For each run.")] = 600.0,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="DIR", help="Keep what both runs wrote, in DIR/plain and DIR/migrated."
        ),
    ] = None,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Runs PROG without and with migrations and compares output, errors, exit status and files, byte for byte.

    Exits with 0 only if every migration took place and nothing differs. Starts the lab if it is down.

    \b
    Examples:
      transproc rehearse -- ./nbody 50
      transproc rehearse --hops 10 --seed 7 -- ./prog
      transproc rehearse --hops 10 --within 50 -- ./short
      transproc rehearse --at 100,2000 -- ./prog       at exactly these sites
      transproc rehearse --keep /tmp/r -- ./prog       then: diff -r /tmp/r/plain /tmp/r/migrated
      transproc rehearse --after solve --within 50 -- ./prog
    """
    plan = Plan(hops, every, _counts(at), within, secrets.randbelow(10**6) if seed is None else seed, after)
    what = common.program(program, arguments, stdin, files, common.environment(env))
    if keep is not None and keep.exists():
        raise TransprocError(f"--keep {keep}: exists already")
    rehearsal = Rehearsal(
        common.context(),
        what,
        common.two_nodes(nodes),
        plan=plan,
        timeout=timeout,
    )
    verdict = rehearsal.run()
    if keep is not None:
        for name, outcome in (("plain", rehearsal.plain), ("migrated", rehearsal.moved)):
            if outcome is not None:
                write_tree(outcome.files, keep / name)
    if as_json:
        common.show_json({**dataclasses.asdict(verdict), "passed": verdict.passed})
    else:
        _print(verdict)
    if not verdict.passed:
        raise typer.Exit(1)


def _counts(text: str | None) -> list[int]:
    try:
        counts = [int(word) for word in text.split(",")] if text else []
    except ValueError:
        counts = [0]
    if any(count < 1 for count in counts):
        raise typer.BadParameter(
            f"{text}: expected numbers of sites, from 1, separated by commas", param_hint="'--at'"
        )
    return counts


def _print(verdict: Verdict) -> None:
    for difference in verdict.differences:
        typer.echo(difference)
    if verdict.late:
        typer.echo(verdict.late)
    downtime = ", ".join(f"{hop.downtime:.2f} s" for hop in verdict.hops)
    result = "identical" if verdict.passed else "FAILED"
    typer.echo(
        f"{result}: {len(verdict.hops)} migrations (downtime {downtime or 'none'}), seed {verdict.seed}; "
        f"{verdict.plain_seconds:.1f} s without, {verdict.moved_seconds:.1f} s with"
    )


app = common.application(rehearse, context_settings=options.PASS_ON)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc stress`: does a program survive thousands of migrations onto itself?"""

from __future__ import annotations

import dataclasses
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from transproc.binary.pair import pair_of
from transproc.cli import common, options
from transproc.isa import ALL
from transproc.process.selfmove import Plan, Verdict, Work
from transproc.process.selfmove import stress as check

NATIVE_RATE, EMULATED_RATE = 1000.0, 50.0
"""Migrations a second; qemu-user translates the program anew after each."""


def stress(
    program: Annotated[str, options.PROGRAM],
    arguments: Annotated[list[str] | None, options.ARGUMENTS] = None,
    *,
    isa: Annotated[
        str, typer.Option("--isa", help="x86_64, aarch64 or both; the other ISA is run by qemu-user.")
    ] = "both",
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            min=0.01,
            max=1e6,
            help="Migrations a second on average [default: 1000; 50 under qemu-user].",
        ),
    ] = None,
    seconds: Annotated[
        int, typer.Option("--seconds", min=1, help="So long it migrates; then it runs on to its end.")
    ] = 10,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the random moments [default: a new one].")
    ] = None,
    stdin: Annotated[Path | None, options.STDIN] = None,
    files: Annotated[Path | None, options.FILES] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For each run.")] = 600.0,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Runs PROG without and with migrations onto itself, on each ISA, and compares output, errors, exit status and files.

    No lab, no root and no second build: PROG is what transproc-cc linked. Exits with 0 only if there were migrations and
    nothing differs.

    \b
    Examples:
      transproc stress ./nbody 50
      transproc stress --isa x86_64 --rate 5000 --seconds 60 -- ./server --test
      transproc stress --stdin input.txt --files data/ -- ./prog data.txt
    """
    names = [each.name for each in ALL]
    if isa not in (*names, "both"):
        raise typer.BadParameter(f"{isa}: expected {', '.join(names)} or both", param_hint="'--isa'")
    what = common.program(program, arguments, stdin, files)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    work = Work(Path(program), what.argv[1:], stdin.read_bytes() if stdin else b"", files, timeout)
    verdicts = [
        check(work, name, Plan(chosen, rate or usual_rate(name), seconds))
        for name in names
        if isa in (name, "both")
    ]
    if as_json:
        results = [{**dataclasses.asdict(v), "passed": v.passed} for v in verdicts]
        common.show_json({"seed": chosen, "results": results, "passed": all(v.passed for v in verdicts)})
    else:
        for verdict in verdicts:
            show(verdict, chosen, Path(program))
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)


def usual_rate(isa: str) -> float:
    """Migrations a second of a stress that names none."""
    return NATIVE_RATE if isa == os.uname().machine else EMULATED_RATE


def show(verdict: Verdict, seed: int, program: Path | None) -> None:
    """Prints how it went on one ISA, and where `program` migrated last if that was wrong.

    Without `program` it is a server's, with which nothing was compared.
    """
    for difference in verdict.differences:
        typer.echo(f"{verdict.isa}: {difference}")
    if verdict.note:
        typer.echo(f"{verdict.isa}: {verdict.note}")
    if program and verdict.differences and verdict.recent:
        typer.echo(f"{verdict.isa}: migrated last in {', '.join(_names(program, verdict))}")
    if not verdict.migrations and not verdict.note:
        typer.echo(
            f"{verdict.isa}: nothing was migrated: the program is too short, or a higher --rate is needed"
        )
    result = ("identical" if program else "right") if verdict.passed else "FAILED"
    typer.echo(
        f"{verdict.isa}: {result}: {verdict.migrations} migrations, {verdict.frames} frames, {verdict.values} live values, "
        f"{verdict.refused} not possible at that moment, seed {seed}"
    )


def _names(program: Path, verdict: Verdict) -> list[str]:
    """The functions that migrated last, the newest first."""
    binary = pair_of(program).binaries[verdict.isa]
    index = binary.index
    names = {int(address): index.name(i) for i, address in enumerate(index.functions["address"].tolist())}
    return [names.get(address, hex(address)) for address in dict.fromkeys(verdict.recent)]


app = common.application(stress, context_settings=options.PASS_ON)

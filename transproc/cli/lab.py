# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc lab`: the two virtual machines."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.lab.lab import Lab
from transproc.lab.machine import Machine
from transproc.lab.qemu import Size
from transproc.lab.rootfs import SUITES
from transproc.lab.slurm import SLURM

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def lab() -> None:
    """Two virtual machines on this host, x86 (x86_64) and arm (aarch64), to migrate between.

    \b
    Examples:
      transproc lab up
      transproc lab shell arm uname -m
      transproc lab down
    """


@app.command()
def up(
    memory: Annotated[
        int | None,
        typer.Option("--memory", metavar="MB", help="Of each machine [default: 1024, with Slurm 1536]."),
    ] = None,
    with_: Annotated[
        str | None,
        typer.Option("--with", metavar="slurm", help="With Slurm: partitions x86 and arm (docs/slurm.md)."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option("--suite", metavar="stable|testing", help="The release of Debian that they are of."),
    ] = None,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Starts the machines that do not run yet; returns when they can be used.

    \b
    Examples:
      transproc lab up
      transproc lab up --with slurm
      transproc lab up --suite testing       newer kernels, and a newer criu
    """
    if suite is not None and suite not in (names := {*SUITES, *SUITES.values()}):
        raise typer.BadParameter(f"{suite}: expected {', '.join(sorted(names))}", param_hint="'--suite'")
    if with_ not in (None, SLURM.name):
        raise typer.BadParameter(f"{with_}: expected {SLURM.name}", param_hint="'--with'")
    size = Size(memory_mb=memory) if memory else None
    name = SUITES.get(suite, suite) if suite else None
    _print(Lab().up(size=size, profile=SLURM if with_ else None, suite=name), as_json)


@app.command()
def down() -> None:
    """Stops the machines. Everything on them is gone, jobs as well."""
    stopped = Lab().down()
    typer.echo(f"stopped {' and '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status(as_json: Annotated[bool, options.JSON] = False) -> None:
    """Says which machines run."""
    _print(Lab().status(), as_json)


@app.command(context_settings=options.PASS_ON)
def shell(
    name: Annotated[str, typer.Argument(metavar="x86|arm", show_default=False)],
    command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", show_default=False)] = None,
) -> None:
    """A shell on a machine, or one command."""
    raise typer.Exit(Lab().shell(name, *(command or [])))


def _print(machines: list[Machine], as_json: bool) -> None:
    if as_json:
        common.show_json([{**dataclasses.asdict(machine), "alive": machine.alive} for machine in machines])
        return
    if not machines:
        typer.echo("the lab is down; 'transproc lab up' starts it")
        return
    rows = [
        (
            m.name,
            m.isa,
            "up" if m.alive else "LOST",
            f"{m.memory_mb} MB",
            "KVM" if m.kvm else "emulated",
            m.suite,
            m.pid,
        )
        for m in machines
    ]
    common.table(rows, ("NODE", "ISA", "STATE", "MEMORY", "SPEED", "DEBIAN", "PID"))

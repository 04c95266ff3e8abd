"""`transproc run`: a program becomes a job."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from transproc import log
from transproc.cli import attach, common
from transproc.cluster.job import Job
from transproc.cluster.place import PauseRequest
from transproc.cluster.start import address_of, exit_code, start, wait
from transproc.cluster.store import JobStore
from transproc.cluster.terminal import window_of


def run(
    program: Annotated[str, common.PROGRAM],
    arguments: Annotated[list[str] | None, common.ARGUMENTS] = None,
    *,
    node: Annotated[str, common.NODE] = "local",
    name: Annotated[
        str | None, typer.Option("--name", help="The job's name [default: after the program].")
    ] = None,
    pause_at: Annotated[
        str | None,
        typer.Option("--pause-at", metavar="WHERE", help="Stop when it gets to this function or address."),
    ] = None,
    stdin: Annotated[Path | None, common.STDIN] = None,
    files: Annotated[Path | None, common.FILES] = None,
    env: Annotated[list[str] | None, common.ENV] = None,
    tty: Annotated[
        bool,
        typer.Option("--tty", "-t", help="Its input and output are a terminal ('transproc attach NAME')."),
    ] = False,
    wait_for_it: Annotated[
        bool,
        typer.Option("--wait", help="Wait, print its output, pass its status on; with --tty: attach to it."),
    ] = False,
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Starts PROG, compiled with transproc-cc, as a job, and prints the job's name.

    The program gets a working directory of its own, which moves with it; its output is kept there ('transproc
    logs NAME').

    \b
    Examples:
      transproc run --node x86 --name nbody -- ./nbody 200
      transproc run --node arm --stdin words.txt --env LANG=C -- ./sort -r
      transproc run --pause-at main -- ./prog        stopped at its first site in main
      transproc run --tty --wait -- ./editor         on this terminal, until it ends or Ctrl-] is pressed
    """
    if tty and stdin is not None:
        raise typer.BadParameter(
            "a program has a terminal or a file as standard input", param_hint="'--stdin'"
        )
    kind = {"TERM": os.environ.get("TERM", "dumb")} if tty else {}
    what = common.program(program, arguments, stdin, files, kind | common.environment(env))
    what = dataclasses.replace(what, window=window_of(sys.stdout.fileno()) or what.window)
    binary = what.pair()["x86_64"].path
    pause = None if pause_at is None else PauseRequest(at=address_of(binary, pause_at))
    store = JobStore()
    job = Job(name or store.free_name(what.name), node, [what.name, *what.argv[1:]], terminal=tty)
    with log.step(f"start {job.name} on {node}") as step:
        start(store, common.place_of(job), what, pause=pause)
        step.detail = f"pid {job.pid}"
    if not wait_for_it:
        common.show_json(job.as_dict()) if as_json else typer.echo(job.name)
        return
    if tty:
        raise typer.Exit(attach.connect(store, job.name, offset=0))
    job = wait(store, job.name, common.place_of)
    place = common.place_of(job)
    typer.echo(place.read("stdout"), nl=False)
    typer.echo(place.read("stderr"), nl=False, err=True)
    raise typer.Exit(exit_code(job.exit))


app = common.application(run, context_settings=common.PASS_ON)

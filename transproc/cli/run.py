# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc run`: a program becomes a job."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from typing import Annotated

import typer

from transproc.cli import attach, common, options
from transproc.cluster.terminal import window_of
from transproc.cluster.watch import exit_code, wait
from transproc.controller.requests.start import Run
from transproc.process.launch import Window


def run(
    program: Annotated[str, options.PROGRAM],
    arguments: Annotated[list[str] | None, options.ARGUMENTS] = None,
    *,
    node: Annotated[str, options.NODE] = "local",
    name: Annotated[
        str | None, typer.Option("--name", help="The job's name [default: after the program].")
    ] = None,
    pause_at: Annotated[
        str | None,
        typer.Option("--pause-at", metavar="WHERE", help="Stop when it gets to this function or address."),
    ] = None,
    stdin: Annotated[Path | None, options.STDIN] = None,
    files: Annotated[Path | None, options.FILES] = None,
    env: Annotated[list[str] | None, options.ENV] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="USER", help="Whom it runs as [default: you, if the node knows you]."),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            "--address",
            metavar="IP/BITS",
            help="An address that moves with it; connections stay. May be repeated.",
        ),
    ] = None,
    gateway: Annotated[
        list[str] | None,
        typer.Option("--gateway", metavar="IP", help="The way out of that address's network."),
    ] = None,
    keep_files: Annotated[
        bool,
        typer.Option(
            "--keep-files",
            help="A node that it leaves keeps its files for a week: a move back sends what is different.",
        ),
    ] = False,
    tty: Annotated[
        bool,
        typer.Option("--tty", "-t", help="Its input and output are a terminal ('transproc attach NAME')."),
    ] = False,
    wait_for_it: Annotated[
        bool,
        typer.Option("--wait", help="Wait, print its output, pass its status on; with --tty: attach to it."),
    ] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Starts PROG, compiled with transproc-cc, as a job, and prints the job's name.

    The program gets a working directory of its own, which moves with it; its output is kept there ('transproc
    logs NAME').

    \b
    Examples:
      transproc run --node x86 --name nbody -- ./nbody 200
      transproc run --node arm --stdin words.txt --env LANG=C -- ./sort -r
      transproc run --pause-at main -- ./prog        stopped at its first site in main
      transproc run --user nobody -- ./server
      transproc run --address 10.77.0.5/24 -- ./server --bind 10.77.0.5      clients stay connected when it moves
      transproc run --tty --wait -- ./editor         on this terminal, until it ends or Ctrl-] is pressed
    """
    if tty and stdin is not None:
        raise typer.BadParameter(
            "a program has a terminal or a file as standard input", param_hint="'--stdin'"
        )
    kind = {"TERM": os.environ.get("TERM", "dumb")} if tty else {}
    variables = kind | common.environment(env)
    common.program(program, arguments, stdin, files, variables)
    window = window_of(sys.stdout.fileno()) or Window()
    job = common.perform(
        Run(
            program,
            node,
            arguments or [],
            name,
            stdin=str(stdin) if stdin else None,
            files=str(files) if files else None,
            env=variables,
            pause_at=pause_at,
            terminal=tty,
            rows=window.rows,
            columns=window.columns,
            user=user,
            starter=starter(),
            addresses=address or [],
            gateways=gateway or [],
            keep_files=keep_files,
        )
    )
    if not wait_for_it:
        common.show_json(job) if as_json else typer.echo(job["name"])
        return
    raise typer.Exit(_until_its_end(job["name"], tty=tty))


def _until_its_end(name: str, *, tty: bool) -> int:
    """Shows what it prints, and returns its status."""
    if tty:
        return attach.connect(name, offset=0)
    if (there := common.remote()) is not None:
        ended = there.wait(name)
        for stream, file in (("stdout", sys.stdout), ("stderr", sys.stderr)):
            for piece in there.log(name, stream):
                file.buffer.write(piece)
            file.flush()
        return exit_code(ended["exit"])
    store = common.host().store
    job = wait(store, name, common.place_of)
    place = common.place_of(job)
    typer.echo(place.read("stdout"), nl=False)
    typer.echo(place.read("stderr"), nl=False, err=True)
    return exit_code(job.exit)


def starter() -> str | None:
    """Who has called us, by name; root is nobody in particular."""
    if os.getuid() == 0:
        return None
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


app = common.application(run, context_settings=options.PASS_ON)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the commands share: the way from a job to its place, and how results are printed."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from transproc import log, paths
from transproc.cli import ahead
from transproc.errors import TransprocError, printable
from transproc.text import columns

if TYPE_CHECKING:
    from transproc.cluster.job import Job
    from transproc.cluster.node import Node
    from transproc.cluster.operations import Context
    from transproc.cluster.place import Place
    from transproc.cluster.start import Program
    from transproc.controller.client import Client
    from transproc.controller.contexts import Controller
    from transproc.controller.requests.base import Request
    from transproc.host import Host

HERE = "here"
"""In the place of a controller's name: this host."""
controller: str | None = None
"""What --controller says."""


def application(command: Any, **settings: Any) -> typer.Typer:
    """A Typer application of one command."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(**settings)(command)
    return app


def host() -> Host:
    """This host, with one connection to each node for the whole command."""
    return ahead.host()


def node(name: str) -> Node:
    """A node of this host."""
    return host().node(name)


def place_of(job: Job, name: str | None = None) -> Place:
    """The job's place on a node, by default the one that holds it."""
    return host().place(job, name)


def remote() -> Client | None:
    """The controller that commands go to, if the user has chosen one."""
    chosen = controller or os.environ.get("TRANSPROC_CONTROLLER")
    if not chosen and not paths.contexts().exists():
        return None
    from transproc.controller import contexts

    chosen = chosen or contexts.load()[0]
    if not chosen or chosen == HERE:
        return None
    return _client(contexts.find(chosen))


@cache
def _client(chosen: Controller) -> Client:
    """One for a command: a controller that has answered it is waited for when it is away."""
    from transproc.controller.client import Client

    return Client(chosen)


def expect_here(command: str, why: str) -> None:
    """For what a controller cannot be asked for: raises `TransprocError` if the user has chosen one."""
    if (there := remote()) is not None:
        raise TransprocError(
            f"'transproc {command}' works on this host only, not with controller {there.controller.url}: {why}",
            hint="use it on the controller's host, or here with --controller here",
        )


def perform(request: Request) -> Any:
    """Does what is asked for, here or at the controller, and returns its result as plain data."""
    if (there := remote()) is not None:
        return there.perform(request, log)
    return request.perform_on(host(), context())


def context(then: str | None = None) -> Context:
    """What operations need, of this command line: it shows the steps, and Ctrl-C calls off; `then`: what that means, if not that
    everything is taken back.
    """
    from transproc.cluster.events import Signals

    return host().context(log, Signals(log) if then is None else Signals(log, then))


def two_nodes(text: str, lab: str = "") -> list[str]:
    """The nodes that --nodes names; starts the lab if they are the lab's, with the profile `lab`."""
    names = text.split(",")
    if len(names) != 2 or names[0] == names[1]:
        raise typer.BadParameter("expected two different nodes, as in x86,arm", param_hint="'--nodes'")
    from transproc.lab.lab import Lab
    from transproc.lab.qemu import GUESTS

    if {guest.node for guest in GUESTS} & set(names):
        from transproc.lab.slurm import SLURM

        Lab().up(profile=SLURM if lab == SLURM.name else None)
    return names


def show_json(value: Any) -> None:
    """A result for programs."""
    typer.echo(json.dumps(value, indent=2, default=str))


def plain(records: Sequence[Any]) -> list[dict[str, Any]]:
    """Records that are dataclasses, for JSON."""
    return [dataclasses.asdict(record) for record in records]


def show_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """What a machine has and lacks, for people; each a `Finding` as plain data."""
    for one in findings:
        remedy = f"  → {one['remedy']}" if one["remedy"] else ""
        typer.echo(
            f"  {'ok     ' if one['ok'] else 'MISSING'}  {one['name']}: {printable(one['found'])}{remedy}"
        )


def table(rows: Sequence[Sequence[object]], header: Sequence[str] | None = None) -> None:
    """A result for people: columns as wide as needed, no colours."""
    for line in columns(rows, header):
        typer.echo(line)


def show_look(look: Mapping[str, Any], as_json: bool) -> None:
    """What `transproc.controller.looks` has found, here or at a controller."""
    if as_json:
        show_json(look["data"])
        return
    typer.echo(look["text"])
    for note in look["notes"]:
        typer.echo(note, err=True)


def program(
    path: str,
    arguments: Sequence[str] | None,
    stdin: Path | None = None,
    files: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Program:
    """What the user wants to be run. Raises `TransprocError` if something named is not there, or PROG is not a pair."""
    from transproc.cluster.start import Program

    found = Program([path, *(arguments or [])], stdin, files, dict(env or {}))
    found.expect_inputs()
    found.pair()
    return found


def environment(words: Sequence[str] | None) -> dict[str, str]:
    """The variables that --env names."""
    for word in words or []:
        if "=" not in word:
            raise typer.BadParameter(f"{word}: expected NAME=VALUE", param_hint="'--env'")
    return dict(word.split("=", 1) for word in words or [])


def duration(text: str, option: str) -> float:
    """Seconds of what a user has typed: 90s, 10m, 1h30m; more than none."""
    from transproc.cluster.duration import seconds

    try:
        found = seconds(text)
    except TransprocError as error:
        raise typer.BadParameter(
            f"{error.message}; {error.hint or ''}".rstrip("; "), param_hint=option
        ) from error
    if not found:
        raise typer.BadParameter(f"{text}: expected more than nothing", param_hint=option)
    return found

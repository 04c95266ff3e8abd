# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc attach`: a conversation with a job through its terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator
from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.cluster import terminal
from transproc.cluster.job import State
from transproc.cluster.watch import exit_code


def attach(
    name: Annotated[str, options.NAME],
    everything: Annotated[
        bool, typer.Option("--all", help="Show first what was printed since the job's start.")
    ] = False,
) -> None:
    """Connects this terminal with that of a job which was started with 'transproc run --tty'.

    It stays connected when the job moves, and connects again to a controller that was away. Ctrl-] ends the connection, and
    not the job. When the job ends, its status is passed on.

    \b
    Examples:
      transproc attach editor             after 'transproc run --tty --node x86 --name editor -- ./editor'
      transproc attach --all editor       with all that it has printed before
    """
    raise typer.Exit(connect(name, offset=0 if everything else None))


def connect(name: str, *, offset: int | None) -> int:
    """Until the job ends or the user leaves; returns the job's status, or 0. `offset`: see `terminal.converse`."""
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    with _raw():
        if (there := common.remote()) is not None:
            from transproc.controller.conversation import Conversation

            job = Conversation(there, name, keyboard=keyboard, screen=screen, offset=offset).run()
        else:
            store, shown = common.host().store, terminal.Descriptor(screen)
            found = terminal.converse(
                store, name, common.place_of, keyboard=keyboard, screen=shown, offset=offset
            )
            job = found.as_dict()
    if job["state"] == State.EXITED:
        return exit_code(job["exit"])
    typer.echo(f"\n{name} goes on; 'transproc attach {name}' connects again", err=True)
    return 0


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Keys come as they are pressed: what they mean is up to the job's terminal."""
    keyboard = sys.stdin.fileno()
    if not os.isatty(keyboard):
        yield
        return
    before = termios.tcgetattr(keyboard)
    tty.setraw(keyboard)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


app = common.application(attach)

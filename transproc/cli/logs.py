# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc logs`: what a job printed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.cluster.store import JobStore
from transproc.cluster.watch import follow


def logs(
    name: Annotated[str, options.NAME],
    go_on: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job ends, also when it moves.")
    ] = False,
    errors: Annotated[
        bool, typer.Option("--stderr", help="Standard error instead of standard output.")
    ] = False,
) -> None:
    """Prints what a job wrote to its standard output.

    \b
    Examples:
      transproc logs nbody
      transproc logs -f nbody        follows the job from node to node
    """
    stream = "stderr" if errors else "stdout"
    if (there := common.remote()) is not None:
        for piece in there.log(name, stream, follow=go_on):
            _print(piece)
        return
    store = JobStore()
    if not go_on:
        _print(common.place_of(store.load(name)).read(stream))
        return
    for _, data in follow(store, name, common.place_of, stream):
        _print(data)


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


app = common.application(logs)

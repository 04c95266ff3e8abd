# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is begun before the command line has been read: connections, which take as long as all that is to be imported.

A guess of what a migration needs; if it is wrong nothing is lost, and what fails here fails again, and is reported, when it
is needed. Ordinary use is guessed right: `transproc migrate NAME --to NODE`.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

from transproc import paths

if TYPE_CHECKING:
    from pathlib import Path

    from transproc.cluster.node import Node
    from transproc.host import Host

SWITCH_SECONDS = 0.0005
"""Between threads: the one that imports would keep those that connect waiting for 5 ms at each of their steps."""


def host() -> Host:
    """This host, with one connection to each node for the whole command."""
    return _host(paths.state())


@cache
def _host(state: Path) -> Host:  # whose records those are is a part of what it is
    from transproc.host import Host

    return Host()


def begin(argv: list[str]) -> None:
    """Begins to connect both nodes of a migration; called once, first of all."""
    name, target = _migration(argv)
    if not name or not target or os.environ.get("TRANSPROC_CONTROLLER") or paths.contexts().exists():
        return
    from threading import Thread

    from transproc.errors import TransprocError

    try:
        nodes = [host().node(node) for node in {host().store.load(name).node, target}]
    except TransprocError:
        return
    sys.setswitchinterval(SWITCH_SECONDS)
    for node in nodes:
        Thread(target=_connect, args=[node], daemon=True).start()


def _migration(argv: list[str]) -> tuple[str, str]:
    """The job and its target, if that is what is asked for."""
    if len(argv) < 4 or argv[0] != "migrate" or argv[1].startswith("-") or "--to" not in argv[2:-1]:
        return "", ""
    return argv[1], argv[argv.index("--to", 2) + 1]


def _connect(node: Node) -> None:
    from contextlib import suppress

    from transproc.errors import TransprocError

    with suppress(TransprocError):
        _ = node.session

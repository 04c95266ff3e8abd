# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names that a shell completes: those of jobs and of nodes, of this host or of the controller that is chosen by the environment.

Nothing is printed, whatever goes wrong: somebody is typing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transproc.errors import TransprocError


def jobs(incomplete: str) -> list[str]:
    """Of jobs that there are."""
    return _beginning(_jobs, incomplete)


def nodes(incomplete: str) -> list[str]:
    """Of nodes that are known."""
    return _beginning(_nodes, incomplete)


def _beginning(ask: Callable[[], Sequence[str]], incomplete: str) -> list[str]:
    try:
        return sorted(name for name in ask() if name.startswith(incomplete))
    except (TransprocError, OSError):
        return []


def _jobs() -> Sequence[str]:
    from transproc.cli import common

    if (there := common.remote()) is not None:
        return [job["name"] for job in there.jobs()]
    return common.host().store.names()


def _nodes() -> Sequence[str]:
    from transproc.cli import common

    if (there := common.remote()) is not None:
        return [node["name"] for node in there.get("/nodes")["nodes"]]
    return common.host().names()

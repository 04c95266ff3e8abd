# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Requests by which a job moves: as a whole, or step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from transproc.cluster import operations
from transproc.cluster.operations import Context
from transproc.controller.requests.base import JobName, Meaning, NodeName, Request, Where


@dataclass(frozen=True)
class Migrate(Request):
    """Moves a running or paused job to another node, of either ISA: as a whole or not at all.

    If anything fails before the job runs on the new node, it goes on where it was, and the error says so. Returns the
    migration: source, target, downtime, seconds of each step, bytes sent.
    """

    kind: ClassVar[str] = "migrate"
    name: JobName
    to: NodeName
    at: Where = None
    timeout: Annotated[float, Meaning("Of the pause, in seconds; then the job stays.", 0.0, 86400.0)] = 10.0
    tcp_close: Annotated[bool, Meaning("End its TCP connections; else it is refused if it has any.")] = False
    keep: Annotated[
        bool, Meaning("The images stay on the controller's host; else none are left anywhere.")
    ] = False

    def perform(self, context: Context) -> Any:
        """As the base says."""
        from transproc.process.criu import Options  # noqa: PLC0415 (a command line that only sends it needs none)

        options = Options(tcp_close=self.tcp_close)
        hop = operations.migrate(
            context, self.name, self.to, at=self.at, timeout=self.timeout, options=options, keep=self.keep
        )
        return dataclasses.asdict(hop)

    def nodes(self, context: Context) -> Sequence[str]:
        """Both."""
        return [*super().nodes(context), self.to]


@dataclass(frozen=True)
class Dump(Request):
    """Writes a job's image and brings it to the controller's host; the job stays stopped, `resume` undoes it.

    Returns the job's record, and the image's path there.
    """

    kind: ClassVar[str] = "dump"
    name: JobName

    def perform(self, context: Context) -> Any:
        """As the base says."""
        image = operations.dump(context, self.name)
        return {**context.store.load(self.name).as_dict(), "image": str(image)}


@dataclass(frozen=True)
class Transform(Request):
    """Turns a dumped job's image into one for another ISA. Returns the job's record, and the image's path."""

    kind: ClassVar[str] = "transform"
    name: JobName
    to: Annotated[str | None, Meaning("The ISA, by default the other one.", longest=32)] = None

    def perform(self, context: Context) -> Any:
        """As the base says."""
        image = operations.transform(context, self.name, self.to)
        return {**context.store.load(self.name).as_dict(), "image": str(image)}


@dataclass(frozen=True)
class Restore(Request):
    """Restores a transformed job on another node; both copies are stopped then. Returns the job's record."""

    kind: ClassVar[str] = "restore"
    name: JobName
    node: NodeName

    def perform(self, context: Context) -> Any:
        """As the base says."""
        operations.restore(context, self.name, self.node)
        return context.store.load(self.name).as_dict()

    def nodes(self, context: Context) -> Sequence[str]:
        """Both."""
        return [*super().nodes(context), self.node]

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
from transproc.controller.tokens import Role
from transproc.process.criu import Options

Target = Annotated[str | None, Meaning("Where it goes: a node's name.", longest=100)]
Labels = Annotated[Sequence[str], Meaning("Else to the best node that has all of these labels.", longest=64)]
Lazy = Annotated[bool, Meaning("Most of a large memory follows when the job runs on the new node.")]
Precopy = Annotated[bool, Meaning("Most of a large memory is sent ahead, while the job runs.")]
Plain = Annotated[bool, Meaning("Neither of both, however large it is.")]
Rate = Annotated[
    int | None, Meaning("Bytes per second at most for what goes ahead or follows.", 10_000, 1 << 50)
]
Anywhere = Annotated[bool, Meaning("Else to the best node of all others.")]


@dataclass(frozen=True)
class Migrate(Request):
    """Moves a running or paused job to another node, of either ISA: as a whole or not at all.

    If anything fails before the job runs on the new node, it goes on where it was, and the error says so. Returns the
    migration: source, target, downtime, seconds of each step, bytes sent.
    """

    kind: ClassVar[str] = "migrate"
    name: JobName
    to: Target = None
    labels: Labels = ()
    anywhere: Anywhere = False
    at: Where = None
    timeout: Annotated[float, Meaning("Of the pause, in seconds; then the job stays.", 0.0, 86400.0)] = 10.0
    tcp_close: Annotated[bool, Meaning("End its TCP connections; else it is refused if it has any.")] = False
    lazy: Lazy = False
    precopy: Precopy = False
    plain: Plain = False
    rate: Rate = None
    keep: Annotated[
        bool, Meaning("The images stay on the controller's host; else none are left anywhere.")
    ] = False
    checkpoint_first: Annotated[
        bool, Meaning("A checkpoint is made first, and kept until all of its memory is there.")
    ] = False

    def __post_init__(self) -> None:
        """Raises ValueError unless exactly one way to choose the node is used."""
        _expect_one(self.to, self.labels, self.anywhere)

    def perform(self, context: Context) -> Any:
        """As the base says."""
        options, to = _options(self), self.to
        if to is None:
            with context.events.step("choose a node") as step:
                choice = operations.choose(context, self.name, labels=self.labels, options=options)
                to = step.detail = choice.node
        hop = operations.migrate(
            context,
            self.name,
            to,
            at=self.at,
            timeout=self.timeout,
            options=options,
            keep=self.keep,
            checkpoint_first=self.checkpoint_first,
        )
        return dataclasses.asdict(hop)

    def nodes(self, context: Context) -> Sequence[str]:
        """Both, if the second is known already."""
        return [*super().nodes(context), *([self.to] if self.to else [])]


@dataclass(frozen=True)
class Forecast(Request):
    """Would a migration work, and how long would it take? Nothing moves, and the job is not touched.

    Returns what is to be expected, and why it is none of the other nodes.
    """

    kind: ClassVar[str] = "forecast"
    role: ClassVar[Role] = Role.VIEW
    name: JobName
    to: Target = None
    labels: Labels = ()
    anywhere: Anywhere = False
    tcp_close: Annotated[bool, Meaning("Its TCP connections would be ended.")] = False
    lazy: Lazy = False
    precopy: Precopy = False
    plain: Plain = False
    rate: Rate = None

    def __post_init__(self) -> None:
        """Raises ValueError unless exactly one way to choose the node is used."""
        _expect_one(self.to, self.labels, self.anywhere)

    def perform(self, context: Context) -> Any:
        """As the base says."""
        options, others = _options(self), dict[str, str]()
        if self.to is None:
            choice = operations.choose(context, self.name, labels=self.labels, options=options)
            found, others = choice.forecast, choice.others
        else:
            found = operations.forecast(context, self.name, self.to, options=options)
        return {**dataclasses.asdict(found), "others": others}


def _options(request: Migrate | Forecast) -> Options:
    return Options(
        tcp_close=request.tcp_close,
        lazy=request.lazy,
        precopy=request.precopy,
        choose=not (request.lazy or request.precopy or request.plain),
        rate=request.rate,
    )


def _expect_one(to: str | None, labels: Sequence[str], anywhere: bool) -> None:
    if (to is not None) + bool(labels) + anywhere != 1:
        raise ValueError("expected one of to, labels, anywhere")


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
class _ToNode(Request):
    """A step of a move that goes to a node."""

    name: JobName
    node: NodeName

    def nodes(self, context: Context) -> Sequence[str]:
        """Both."""
        return [*super().nodes(context), self.node]


@dataclass(frozen=True)
class Ship(_ToNode):
    """Sends a transformed job's image, its program and its files to another node. Returns the job's record.

    The job stays stopped where it is; `resume` undoes it. `restore` does this by itself.
    """

    kind: ClassVar[str] = "ship"

    def perform(self, context: Context) -> Any:
        """As the base says."""
        operations.ship(context, self.name, self.node)
        return context.store.load(self.name).as_dict()


@dataclass(frozen=True)
class Restore(_ToNode):
    """Restores a transformed job on another node; both copies are stopped then. Returns the job's record."""

    kind: ClassVar[str] = "restore"

    def perform(self, context: Context) -> Any:
        """As the base says."""
        operations.restore(context, self.name, self.node)
        return context.store.load(self.name).as_dict()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The common part of all requests, and what is said of their fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from transproc.cluster.operations import Context
from transproc.cluster.store import JobStore
from transproc.controller.tokens import Role
from transproc.errors import TransprocError

if TYPE_CHECKING:
    from transproc.host import Host


@dataclass(frozen=True)
class Meaning:
    """Of a field: its description, and what of its type is allowed (bounds of numbers, length of texts)."""

    text: str
    least: float | None = None
    most: float | None = None
    longest: int = 4096


JobName = Annotated[str, Meaning("The job's name.", longest=40)]
NodeName = Annotated[str, Meaning("A node's name.", longest=100)]
Where = Annotated[str | None, Meaning("A function of the program, or an address: `0x…`.", longest=1000)]
Seconds = Annotated[float, Meaning("Seconds.", least=0.0, most=86400.0)]


class Desk(Protocol):
    """Where a controller takes a request, and from whom: the name of a token, and its role."""

    @property
    def who(self) -> str:
        """The name of the token."""

    @property
    def role(self) -> Role:
        """What it allows."""

    @property
    def job_user(self) -> str | None:
        """Whom the jobs of those who are no admins run as, if the operator has said so."""

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are kept."""

    def program(self, job: str) -> Path:
        """The pair of a job. Raises `MissingError`."""

    @property
    def store(self) -> JobStore:
        """The records."""

    def upload(self, identity: str) -> Path:
        """The directory of an upload of the same token. Raises `MissingError`."""


@dataclass(frozen=True)
class Request:
    """One operation with its parameters. A subclass is a frozen dataclass, whose docstring describes the endpoint."""

    kind: ClassVar[str] = ""
    """Its name: the command's, and the last part of the endpoint's path."""
    path: ClassVar[str] = ""
    """The endpoint's, below /api/v1; {name} in it is the job's."""
    role: ClassVar[Role] = Role.OPERATE
    then: ClassVar[str] = "after this step everything is taken back"
    """What it means to call it off."""

    def __init_subclass__(cls, **more: Any) -> None:
        """A request for a job has its path from its kind."""
        super().__init_subclass__(**more)
        if cls.kind and not cls.path:
            cls.path = f"/jobs/{{name}}/{cls.kind}"

    def perform(self, context: Context) -> Any:
        """Does it, and returns what JSON can hold. Raises `TransprocError`. A subclass has this or `perform_on`."""
        raise NotImplementedError

    def perform_on(self, host: Host, context: Context) -> Any:
        """The same, for what needs more of the host that manages jobs than `context` has."""
        return self.perform(context)

    @property
    def job(self) -> str | None:
        """The job that it works on; nothing else works on that at the same time."""
        return getattr(self, "name", None)

    def nodes(self, context: Context) -> Sequence[str]:
        """Nodes that are kept busy by it: each has a limit. Raises `MissingError` if there is no such job."""
        if self.job is None:
            return ()
        try:
            job = context.store.load(self.job)
        except TransprocError:
            if self.job in context.store.names():  # damaged: it can be removed
                return ()
            raise
        return [job.node, *([job.target] if job.target else [])]

    def admitted(self, desk: Desk) -> Request:
        """What is performed when a controller is asked for this, by whom `desk` says. Raises `TransprocError` to refuse it."""
        return self

    def words(self) -> dict[str, Any]:
        """All fields, as they are sent."""
        return dataclasses.asdict(self)

    def record(self) -> dict[str, Any]:
        """What is kept of it, and shown to whoever may see jobs: no secrets."""
        return self.words()

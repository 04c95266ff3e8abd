# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the HTTP interface answers. Times are seconds of the epoch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from transproc.cluster.job import State
from transproc.controller.taskrecords import TaskState
from transproc.controller.tokens import Role


class Model(BaseModel):
    """From an object's attributes."""

    model_config = ConfigDict(from_attributes=True)


class Trouble(Model):
    """Why something failed, as the command line says it."""

    message: str
    hint: str | None = Field(None, description="What can be done about it.")
    exit_status: int = Field(1, description="Of the command: 1 failed, 2 wrong usage, 3 not supported.")
    type: str | None = Field(None, description="The class of the error.")


class Failure(BaseModel):
    """The body of every answer that is an error."""

    error: Trouble


class JobModel(Model):
    """A job, as in a list."""

    name: str
    id: str
    node: str = Field(description="Where it is.")
    target: str | None = Field(description="Where a migration under way takes it.")
    state: State
    exit: str | None = Field(description="How it ended: `status N`, `signal N` or `lost`.")
    argv: list[str]
    pid: int = Field(description="The same on every node.")
    moves: int = Field(description="How often it was moved.")
    started: float
    terminal: bool = Field(description="Its standard streams are a terminal.")
    user: str = Field(description="Whom it runs as; empty: as transproc does on the node.")
    leftovers: list[str] = Field(description="Nodes that may hold a stopped copy, which will be removed.")
    version: int = Field(description="Counts the changes of the record.")


class JobList(BaseModel):
    """One page of the jobs."""

    jobs: list[JobModel]
    total: int = Field(description="Of those that match.")
    damaged: list[str] = Field(description="Jobs whose record cannot be read.")
    next: str | None = Field(description="`after` of the next page.")
    stream: str = Field(description="`Last-Event-ID` to listen from this state on.")


class StepModel(Model):
    """A step; `seconds` is null until it has ended well."""

    name: str
    started: float
    seconds: float | None
    detail: str


class AttemptModel(Model):
    """Something that was begun with a job: a migration, a kill, …"""

    number: int
    job: str
    kind: str
    before: str = Field(description="The job's state when it began.")
    source: str
    target: str | None
    started: float
    ended: float | None
    result: str | None = Field(
        description="done, undone, ended or undecided; null while it is under way, or was cut off."
    )
    outcome: str = Field(description="What became of the process.")
    downtime: float | None = Field(description="Seconds.")
    bytes: int | None
    steps: list[StepModel]


class JobDetail(JobModel):
    """A job with all that was begun with it, latest first."""

    attempts: list[AttemptModel]
    task: int | None = Field(description="The task that works on it now.")


class TaskModel(Model):
    """A request that the controller performs or has performed."""

    number: int
    kind: str
    job: str | None
    request: dict[str, Any]
    who: str = Field(description="The name of the token that asked for it.")
    state: TaskState
    created: float
    started: float | None
    ended: float | None
    result: Any = None
    error: Trouble | None = None


class TaskList(BaseModel):
    """Tasks, latest first."""

    tasks: list[TaskModel]


class NodeModel(BaseModel):
    """A node; the facts are null while it does not answer, with the reason in `error`."""

    name: str
    up: bool | None = Field(description="Null: it has not answered in time.")
    error: Trouble | None = None
    facts: dict[str, Any] | None = None
    jobs: int = Field(description="Jobs that are on it, or on their way there, and have not ended.")
    labels: list[str] = Field(
        description="Its name, its ISA as far as that is known, and words of its owner."
    )
    capacity: int | None = Field(description="How many jobs it takes at once.")
    price: float | None = Field(description="Of an hour.")


class NodeList(BaseModel):
    """All nodes."""

    nodes: list[NodeModel]


class UploadModel(BaseModel):
    """An upload."""

    id: str
    parts: list[str]


class Identity(Model):
    """Whom a token stands for."""

    name: str
    role: Role
    expires: float | None


class Health(BaseModel):
    """Whether the controller works."""

    status: str
    version: str

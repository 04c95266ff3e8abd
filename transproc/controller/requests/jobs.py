# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Requests for one job where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from transproc.cluster import operations
from transproc.cluster.operations import Context
from transproc.controller.requests.base import JobName, Meaning, Request, Seconds, Where


@dataclass(frozen=True)
class Pause(Request):
    """Stops a running job, all its processes and threads, at equivalence points; `resume` undoes it.

    If a thread does not get to such a point in time, the job runs on as if nothing had been. Returns the job's record.
    """

    kind: ClassVar[str] = "pause"
    name: JobName
    at: Where = None
    count: Annotated[int | None, Meaning("At the `count`-th site from now on.", least=1, most=1 << 62)] = None
    timeout: Seconds = 10.0

    def perform(self, context: Context) -> Any:
        """As the base says."""
        operations.pause(context, self.name, at=self.at, count=self.count, timeout=self.timeout)
        return context.store.load(self.name).as_dict()


@dataclass(frozen=True)
class Resume(Request):
    """Lets a paused, dumped, transformed or restored job go on; never two copies of it. Returns the job's record.

    After `restore` it goes on on its new node, and the old copy ends; with `source` that is undone.
    """

    kind: ClassVar[str] = "resume"
    name: JobName
    source: Annotated[bool, Meaning("After `restore`: undo it; the copy on the source node goes on.")] = False
    force: Annotated[
        bool,
        Meaning("With `source`: though the other node does not answer; if it comes back, two copies run."),
    ] = False

    paused: Annotated[bool, Meaning("After `restore`: the new copy is the job, and stays stopped.")] = False

    def perform(self, context: Context) -> Any:
        """As the base says."""
        done = operations.resume(
            context, self.name, source=self.source, force=self.force, stay_paused=self.paused
        )
        return done.as_dict()


@dataclass(frozen=True)
class Kill(Request):
    """Ends a job with SIGKILL, and every stopped copy that a migration left behind."""

    kind: ClassVar[str] = "kill"
    name: JobName
    remove: Annotated[bool, Meaning("Forget the job, its output and files as well.")] = False

    def perform(self, context: Context) -> Any:
        """As the base says."""
        operations.kill(context, self.name, remove=self.remove)


@dataclass(frozen=True)
class Recover(Request):
    """Settles what was cut off with a job, and removes what is left of it. Returns what was found, in one line."""

    kind: ClassVar[str] = "recover"
    name: JobName

    def perform(self, context: Context) -> Any:
        """As the base says."""
        return operations.recover(context, self.name)

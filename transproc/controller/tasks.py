# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Requests that a controller performs, many at once: each is a task, recorded before it is begun, and how it has ended.

A task waits while another one works on its job's nodes to their limit. Two tasks of one job are not queued: the second is
refused, since what it was asked for may make no sense any more after the first.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from transproc.cluster.database import Database
from transproc.cluster.events import Silent, Token
from transproc.controller.requests.base import Request
from transproc.controller.stream import Stream
from transproc.controller.taskrecords import Key, Task, TaskRecords, TaskState
from transproc.errors import BusyError, StoreError, TransprocError
from transproc.host import Host
from transproc.log import Step

log = logging.getLogger(__name__)


@dataclass
class _Live:
    """A task that has not ended."""

    task: Task
    request: Request
    nodes: Sequence[str]
    token: Token = field(default_factory=Token)
    done: Future[None] = field(default_factory=Future)


class Tasks:
    """Methods may be called from several threads. `at_once`: tasks that run at the same time, `per_node`: with one node."""

    def __init__(
        self, host: Host, database: Database, stream: Stream, *, at_once: int = 16, per_node: int = 4
    ) -> None:
        self._host = host
        self.records = TaskRecords(database)
        self._stream = stream
        self._at_once, self._per_node = at_once, per_node
        self._lock = threading.RLock()
        self._waiting: list[_Live] = []
        self._live: dict[int, _Live] = {}
        self._busy: Counter[str] = Counter()
        self._running = 0
        self._stopping = False
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="task")
        self.on_end: list[Callable[[Task], None]] = []
        """Called with each task that has ended, in its thread."""

    # --- asking ------------------------------------------------------------------------------------------------

    def submit(self, request: Request, who: str, key: Key | None = None) -> Task:
        """Records a request, to be performed as soon as there is room. Raises `BusyError` if its job has a task already, and
        `StoreError` if a key is used a second time.
        """
        context = self._host.context(Silent(), Token())
        nodes = tuple(dict.fromkeys(request.nodes(context)))
        with self._lock:
            if self._stopping:
                raise BusyError("the controller is stopping", hint="ask again in a moment")
            self._expect_free(request.job)
            # what can begin at once is recorded as begun, which takes one write less
            begins = not self._waiting and self._has_room(nodes)
            task = self.records.add(request, who, key, begins=begins)
            live = self._live[task.number] = _Live(task, request, nodes)
            self._waiting.append(live)
        self._tell(task)
        self._schedule()
        return task

    def _expect_free(self, job: str | None) -> None:
        for live in self._live.values():
            if job is not None and live.task.job == job:
                other = live.task
                raise BusyError(
                    f"job {job}: task {other.number} works on it ({other.kind}, asked for by {other.who})",
                    hint="wait for its end, or cancel it",
                )

    def cancel(self, number: int) -> Task:
        """A waiting task ends; a running one stops after the step under way, and takes back what it has done."""
        with self._lock:
            live = self._live.get(number)
            if live is None:
                return self.load(number)
            waits = live in self._waiting
            if waits:
                self._waiting.remove(live)
        if waits:
            self._end(live, TaskState.CANCELLED, error={"message": "cancelled before it began"})
        else:
            live.token.cancel()
        return live.task

    # --- looking -----------------------------------------------------------------------------------------------

    def load(self, number: int) -> Task:
        """One task. Raises `MissingError`."""
        with self._lock:
            if number in self._live:
                return self._live[number].task
        return self.records.load(number)

    def recent(self, *, job: str | None = None, limit: int = 100, before: int | None = None) -> list[Task]:
        """The latest first; those of one job, those before a number."""
        return self.records.recent(job, limit, before)

    def live(self) -> list[Task]:
        """Those that have not ended, oldest first."""
        with self._lock:
            return [live.task for live in self._live.values()]

    def wait(self, number: int, seconds: float | None = None) -> Task:
        """The task when it has ended, or so many seconds from now."""
        with self._lock:
            live = self._live.get(number)
        if live is None:
            return self.load(number)
        wait_for([live.done], seconds)
        return live.task

    async def end_of(self, number: int, seconds: float) -> Task:
        """As `wait`, without a thread that waits."""
        with self._lock:
            live = self._live.get(number)
        if live is None:
            return await asyncio.to_thread(self.load, number)
        await asyncio.wait([asyncio.wrap_future(live.done)], timeout=seconds)
        return live.task

    # --- performing --------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Starts what there is room for, in the order in which it was asked for."""
        with self._lock:
            for live in list(self._waiting):
                if not self._has_room(live.nodes):
                    continue
                self._waiting.remove(live)
                self._busy.update(live.nodes)
                self._running += 1
                self._pool.submit(self._perform, live)

    def _has_room(self, nodes: Sequence[str]) -> bool:
        """The lock is held."""
        if self._running >= self._at_once or self._stopping:
            return False
        return all(self._busy[node] < self._per_node for node in nodes)

    def _perform(self, live: _Live) -> None:
        state, result, error = TaskState.DONE, None, None
        try:
            if live.task.state is TaskState.WAITING:
                self._begin(live.task)
            sink = Sink(self._stream, live.task)
            result = live.request.perform_on(self._host, self._host.context(sink, live.token))
        except KeyboardInterrupt:
            state, error = TaskState.CANCELLED, {"message": "interrupted", "exit_status": 130}
        except TransprocError as failed:
            interrupted = isinstance(failed.__cause__, KeyboardInterrupt)
            state = TaskState.CANCELLED if interrupted else TaskState.FAILED
            error = {"message": failed.message, "hint": failed.hint, "exit_status": failed.exit_status}
            error["type"] = type(failed).__name__
        except Exception as failed:
            log.exception("a task has failed by a defect")
            state, error = TaskState.FAILED, {"message": f"internal error: {failed!r}", "exit_status": 1}
        with self._lock:
            self._busy.subtract(live.nodes)
            self._running -= 1
        self._end(live, state, result, error)
        self._schedule()

    def _begin(self, task: Task) -> None:
        task.state, task.started = TaskState.RUNNING, time.time()
        self.records.save(task)
        self._tell(task)

    def _end(
        self, live: _Live, state: TaskState, result: Any = None, error: dict[str, Any] | None = None
    ) -> None:
        task = live.task
        task.state, task.ended, task.result, task.error = state, time.time(), result, error
        try:
            self.records.save(task, at_once=False)  # what it has done to a job is on the disk
        except StoreError as failed:  # what was done stays done: it says so
            self._stream.publish("note", {"task": task.number, "job": task.job, "message": failed.message})
        with self._lock:
            self._live.pop(task.number, None)
        self._tell(task)
        for hear in self.on_end:
            hear(task)
        live.done.set_result(None)

    # --- starting and stopping -----------------------------------------------------------------------------------

    def settle(self) -> list[Task]:
        """At the start of a controller: marks what the one before has left; returns the tasks that were running then."""
        left = self.records.unended()
        for task in left:
            if task.state is not TaskState.WAITING:
                task.state = TaskState.SETTLING
            else:
                task.state, task.ended = TaskState.CANCELLED, time.time()
                task.error = {"message": "the controller ended before it began", "exit_status": 1}
                task.error["hint"] = "nothing was done: ask again"
            self.records.save(task)
        self.records.forget_old()
        return [task for task in left if task.state is TaskState.SETTLING]

    def explain(self, task: Task, outcome: str) -> None:
        """What became of the job of a task that was cut off."""
        task.state, task.ended = TaskState.CUT_OFF, time.time()
        task.error = {"message": f"the controller ended meanwhile; {outcome}", "exit_status": 1}
        self.records.save(task)
        self._tell(task)

    def stop(self, grace: float, hurry: threading.Event) -> None:
        """Takes no more tasks, and lets those that run end; after so many seconds, or at once in a hurry, calls them off."""
        with self._lock:
            self._stopping = True
            waiting, self._waiting = self._waiting, []
            running = [live for live in self._live.values() if live not in waiting]
        for live in waiting:
            self._end(
                live, TaskState.CANCELLED, error={"message": "the controller was stopped before it began"}
            )
        until = time.monotonic() + grace
        while (
            any(not live.done.done() for live in running) and time.monotonic() < until and not hurry.is_set()
        ):
            hurry.wait(0.1)
        for live in running:
            live.token.cancel()
        self._pool.shutdown(wait=True)

    def _tell(self, task: Task) -> None:
        words = {
            "task": task.number,
            "kind": task.kind,
            "job": task.job,
            "who": task.who,
            "state": task.state,
        }
        if task.error:
            words["error"] = task.error["message"]
        log.info("task", extra=words)
        self._stream.publish("task", {**vars(task)})


_inside: ContextVar[int | None] = ContextVar("inside", default=None)
"""The step of a task that is under way here: a thread that a step starts has a copy."""


class Sink(Silent):
    """The steps and notes of one task, into the stream."""

    def __init__(self, stream: Stream, task: Task) -> None:
        self._stream = stream
        self._head = {"task": task.number, "job": task.job}
        self._steps = itertools.count(1)
        self._thread = threading.get_ident()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """As `Events` says."""
        head = {**self._where(), "name": name, "step": next(self._steps)}
        self._stream.publish("step", {**head, "state": "begun"})
        outer, made, done = _inside.set(head["step"]), None, "failed"
        try:
            with super().step(name) as made:
                yield made
            done = "done"
        finally:
            _inside.reset(outer)
            more = {"seconds": round(made.seconds, 4), "detail": made.detail} if made else {}
            self._stream.publish("step", {**head, "state": done, **more})

    def note(self, message: str) -> None:
        """As `Events` says."""
        self._stream.publish("note", {**self._where(), "message": message})

    def _where(self) -> dict[str, Any]:
        return {**self._head, "inside": _inside.get(), "beside": threading.get_ident() != self._thread}

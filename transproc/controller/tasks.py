# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Requests that a controller performs, many at once: each is a task, recorded before it is begun, and how it has ended.

A task waits while another one works on its job's nodes to their limit. Two tasks of one job are not queued: the second is
refused, since what it was asked for may make no sense any more after the first.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from transproc.cluster.database import Database
from transproc.cluster.events import Silent, Token
from transproc.controller.requests.base import Request
from transproc.controller.stream import Stream
from transproc.errors import BusyError, MissingError, StoreError, TransprocError
from transproc.host import Host
from transproc.log import Step

log = logging.getLogger(__name__)
KEPT = 10_000
"""Records of tasks that have ended; older ones go."""


class TaskState(StrEnum):
    """Of a task."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # and has left things in order: the error says how
    CANCELLED = "cancelled"  # everything was taken back
    SETTLING = "settling"  # the controller ended meanwhile: what was under way with the job is being settled
    CUT_OFF = "cut off"  # and that was done

    @property
    def ended(self) -> bool:
        """Nothing more happens."""
        return self not in (TaskState.WAITING, TaskState.RUNNING, TaskState.SETTLING)


@dataclass
class Task:
    """One task as it is recorded; times in seconds of the epoch. `error`: message, hint and exit_status."""

    number: int
    kind: str
    job: str | None
    request: dict[str, Any]
    who: str
    state: TaskState
    created: float
    started: float | None = None
    ended: float | None = None
    result: Any = None
    error: dict[str, Any] | None = None


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
        self._database = database
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

    def submit(self, request: Request, who: str) -> Task:
        """Records a request, to be performed as soon as there is room. Raises `BusyError` if its job has a task already."""
        context = self._host.context(Silent(), Token())
        nodes = tuple(dict.fromkeys(request.nodes(context)))
        with self._lock:
            if self._stopping:
                raise BusyError("the controller is stopping", hint="ask again in a moment")
            self._expect_free(request.job)
            task = self._record(request, who)
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
        rows = self._database.all(f"{_QUERY} WHERE number = ?", number)
        if not rows:
            raise MissingError(f"task {number}: there is none")
        return _task(rows[0])

    def recent(self, *, job: str | None = None, limit: int = 100, before: int | None = None) -> list[Task]:
        """The latest first; those of one job, those before a number."""
        words: list[Any] = [before or 1 << 62, *([job] if job else []), limit]
        which = " AND job = ?" if job else ""
        query = f"{_QUERY} WHERE number < ?{which} ORDER BY number DESC LIMIT ?"
        return [_task(row) for row in self._database.all(query, *words)]

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
                if self._running >= self._at_once or self._stopping:
                    return
                if any(self._busy[node] >= self._per_node for node in live.nodes):
                    continue
                self._waiting.remove(live)
                self._busy.update(live.nodes)
                self._running += 1
                self._pool.submit(self._perform, live)

    def _perform(self, live: _Live) -> None:
        state, result, error = TaskState.DONE, None, None
        try:
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
        self._save(task)
        self._tell(task)

    def _end(
        self, live: _Live, state: TaskState, result: Any = None, error: dict[str, Any] | None = None
    ) -> None:
        task = live.task
        task.state, task.ended, task.result, task.error = state, time.time(), result, error
        try:
            self._save(task)
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
        rows = self._database.all(
            f"{_QUERY} WHERE state IN ('waiting', 'running', 'settling') ORDER BY number"
        )
        left = [_task(row) for row in rows]
        for task in left:
            if task.state is not TaskState.WAITING:
                task.state = TaskState.SETTLING
            else:
                task.state, task.ended = TaskState.CANCELLED, time.time()
                task.error = {"message": "the controller ended before it began", "exit_status": 1}
            self._save(task)
        self._database.change(
            "DELETE FROM tasks WHERE number <= (SELECT max(number) FROM tasks) - :kept", {"kept": KEPT}
        )
        return [task for task in left if task.state is TaskState.SETTLING]

    def explain(self, task: Task, outcome: str) -> None:
        """What became of the job of a task that was cut off."""
        task.state, task.ended = TaskState.CUT_OFF, time.time()
        task.error = {"message": f"the controller ended meanwhile; {outcome}", "exit_status": 1}
        self._save(task)
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

    # --- records -----------------------------------------------------------------------------------------------

    def _record(self, request: Request, who: str) -> Task:
        task = Task(0, request.kind, request.job, request.record(), who, TaskState.WAITING, time.time())
        row = self._database.one(
            "INSERT INTO tasks (kind, job, request, who, state, created) VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
            *(task.kind, task.job, json.dumps(task.request), who, task.state, task.created),
        )
        task.number = int(row[0])
        return task

    def _save(self, task: Task) -> None:
        words = {"number": task.number, "state": task.state, "started": task.started, "ended": task.ended}
        words |= {"result": json.dumps(task.result), "error": json.dumps(task.error)}
        self._database.change(
            "UPDATE tasks SET state = :state, started = :started, ended = :ended, result = :result, error = :error"
            " WHERE number = :number",
            words,
        )

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


_QUERY = "SELECT number, kind, job, request, who, state, created, started, ended, result, error FROM tasks"


def _task(row: tuple[Any, ...]) -> Task:
    number, kind, job, request, who, state, *times, result, error = row
    found = Task(number, kind, job, json.loads(request), who, TaskState(state), *times)
    found.result, found.error = json.loads(result or "null"), json.loads(error or "null")
    return found


class Sink(Silent):
    """The steps and notes of one task, into the stream."""

    def __init__(self, stream: Stream, task: Task) -> None:
        self._stream = stream
        self._head = {"task": task.number, "job": task.job}
        self._depth = threading.local()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """As `Events` says."""
        depth = getattr(self._depth, "value", 0)
        head = {**self._head, "name": name, "depth": depth}
        self._stream.publish("step", {**head, "state": "begun"})
        self._depth.value, made, done = depth + 1, None, "failed"
        try:
            with super().step(name) as made:
                yield made
            done = "done"
        finally:
            self._depth.value = depth
            more = {"seconds": round(made.seconds, 4), "detail": made.detail} if made else {}
            self._stream.publish("step", {**head, "state": done, **more})

    def note(self, message: str) -> None:
        """As `Events` says."""
        self._stream.publish("note", {**self._head, "message": message})

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a controller does by itself: settles what was cut off, tells of changed records, and notices that jobs have ended.

Records are looked at twice a second, so that what commands on this host do shows as well; each node that has running jobs is
asked every few seconds, for all of them at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transproc import scratch
from transproc.automation import parcel
from transproc.automation.plans.records import PlanRecord, jobs, plan, plans
from transproc.automation.plans.recover import open_plans, recover
from transproc.cluster.events import Silent, Token
from transproc.cluster.job import Job, State
from transproc.cluster.watch import ended_on, refresh
from transproc.controller.requests.jobs import Recover
from transproc.controller.settling import plan_of, with_plan, without_plan
from transproc.controller.taskrecords import Task
from transproc.errors import BusyError, TransprocError

if TYPE_CHECKING:
    from transproc.controller.service import Service

RECORDS_SECONDS = 0.5
SETTLE_SECONDS = 30.0
"""Between two attempts to settle what a node that does not answer knows."""
NAME = "controller"
"""Who asks for that."""
_CUT_OFF = (
    "SELECT DISTINCT jobs.name FROM jobs LEFT JOIN attempts ON attempts.job = jobs.id"
    " WHERE jobs.state = 'starting' OR (attempts.number NOT NULL AND (result IS NULL OR result = 'undecided'))"
)
log = logging.getLogger(__name__)


class Watch:
    """A thread; what asks nodes is done by those of `service`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._cut_off: dict[str, list[Task]] = defaultdict(list)
        self._cut_off_plans: dict[int, Task] = {}
        self._seen: dict[str, Job | None] = {}
        self._stamp = -1
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self.up: dict[str, bool] = {}
        """Which nodes with running jobs have answered the last time."""
        service.tasks.on_end.append(self._task_ended)

    def start(self) -> None:
        """Settles what an earlier controller has left, beside everything else; then watches."""
        for task in self._service.tasks.settle():
            if task.job is not None:
                self._cut_off[task.job].append(task)
            elif (begun := plan_of(self._service.store, task)) is not None:
                self._cut_off_plans[begun.number] = task
            else:
                self._service.tasks.explain(task, without_plan(task))
        scratch.sweep()
        parcel.sweep(self._service.store.directory, [Path(plan.path) for plan in plans(self._service.store)])
        self.settle()
        with self._lock:
            rest = set(self._cut_off) - {task.job for task in self._service.tasks.live()}
        for name in rest:  # nothing was begun, or it has ended
            self._explain(name, self._now(name))
        open_ = {one.number for one in open_plans(self._service.store)}
        for number in [number for number in list(self._cut_off_plans) if number not in open_]:
            self._explain_plan(number)  # it has come to its end, or was settled
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def settle(self) -> None:
        """A task for each job with which something was begun and not ended, and on which nobody works; plans with theirs."""
        planned = set[str]()
        for cut_off in open_plans(self._service.store):
            self._service.do_on_node(partial(self._settle_plan, cut_off))
            planned.update(jobs(self._service.store, cut_off.number))
        busy = {task.job for task in self._service.tasks.live()} | (planned - self._cut_off.keys())
        for (name,) in self._service.store.database.all(_CUT_OFF):
            if name not in busy and not self._service.store.busy(name):
                try:
                    self._service.tasks.submit(Recover(name), NAME)
                except TransprocError as error:
                    log.warning("job cannot be settled", extra={"job": name, "error": error.message})

    def _settle_plan(self, cut_off: PlanRecord) -> None:
        """One that nobody carries out; its jobs may be what another task works on, then it is tried again."""
        try:
            if found := recover(self._service.host.context(Silent(), Token()), cut_off):
                log.info(found, extra={"plan": cut_off.number})
        except TransprocError as error:
            log.warning("plan cannot be settled", extra={"plan": cut_off.number, "error": error.message})
            if not isinstance(error, BusyError):
                self._explain_plan(cut_off.number, f"; not settled yet: {error.message}")
        else:
            self._explain_plan(cut_off.number)

    def _explain_plan(self, number: int, more: str = "") -> None:
        with self._lock:
            task = self._cut_off_plans.pop(number, None)
        if task is not None:
            self._service.tasks.explain(task, with_plan(plan(self._service.store, number)) + more)

    def _task_ended(self, task: Task) -> None:
        if task.kind == Recover.kind and task.job is not None:
            error = (task.error or {}).get("message", "")
            self._explain(task.job, str(task.result or f"not settled yet: {error}"))
        if (upload := task.request.get("upload")) is not None:
            self._service.uploads.remove(upload)

    def _explain(self, name: str, outcome: str) -> None:
        with self._lock:
            tasks = self._cut_off.pop(name, [])
        for task in tasks:
            self._service.tasks.explain(task, outcome)

    def _now(self, name: str) -> str:
        """Of a job with which nothing is under way: that was not begun yet, or has ended."""
        try:
            job = self._service.store.load(name)
        except TransprocError:
            return f"there is no job {name}: nothing was begun, or nothing is left of it"
        return f"{name} {'runs' if job.state is State.RUNNING else f'is {job.state}'} on {job.node}"

    def _run(self) -> None:
        looked = settled = time.monotonic()
        while not self._end.wait(RECORDS_SECONDS):
            try:
                self._tell()
                now = time.monotonic()
                if now - looked > self._service.settings.watch:
                    looked = now
                    self._ask_nodes()
                if now - settled > SETTLE_SECONDS:
                    settled = now
                    self.settle()
                    self._service.terminals.forget()
            except TransprocError as error:
                log.warning("the records cannot be read", extra={"error": error.message})

    def _tell(self) -> None:
        """An event for each record that has changed since the last time."""
        if self._stamp == (stamp := self._service.reader.stamp()):
            return
        now = {listed.name: listed.job for listed in self._service.reader.jobs()}
        for name, job in now.items():
            if job is not None and self._seen.get(name) is not job and self._stamp >= 0:
                self._service.stream.publish("job", summary(job))
        for name in self._seen.keys() - now.keys():
            self._service.stream.publish("job", {"name": name, "removed": True})
        self._seen, self._stamp = now, stamp

    def _ask_nodes(self) -> None:
        jobs: dict[str, list[Job]] = defaultdict(list)
        for job in self._seen.values():
            if job is not None and job.runs:
                jobs[job.node].append(job)
        for name in jobs.keys() - self._asked:
            self._asked.add(name)
            self._service.do_on_node(partial(self._ask_node, name, jobs[name]))

    def _ask_node(self, name: str, jobs: list[Job]) -> None:
        up = True
        try:
            ended = ended_on(self._service.host.node(name))
            for job in jobs:
                if ended.get(job.name) == job.id:
                    refresh(self._service.store, job, self._service.host.place(job))
        except TransprocError as error:
            up = False
            if self.up.get(name) is not False:
                log.warning("node does not answer", extra={"node": name, "error": error.message})
        finally:
            if self.up.get(name) is not up:
                self.up[name] = up
                self._service.stream.publish("node", {"name": name, "up": up})
            self._asked.discard(name)


def summary(job: Job) -> dict[str, Any]:
    """A job for an event."""
    found = job.as_dict()
    del found["history"]
    return found

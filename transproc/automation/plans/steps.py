# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each kind of step does: one operation of `transproc.cluster`, or two."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from transproc.automation.plans import check, programs
from transproc.automation.plans.checked import Checked
from transproc.automation.plans.model import Step, Verb
from transproc.automation.plans.nodes import is_isa, now
from transproc.automation.plans.progress import already
from transproc.automation.plans.records import Log
from transproc.cluster import operations
from transproc.cluster.job import Job, State, check_name
from transproc.cluster.operations import Context
from transproc.cluster.watch import wait
from transproc.errors import MigrationError, TransprocError
from transproc.host import Host

STOP_SECONDS = 600.0
"""Until a program gets to where it is to be stopped, unless the plan says how long."""
PAUSE_SECONDS = 10.0
COMMAND_SECONDS = 600.0
MOST_OUTPUT = 1 << 16
"""Bytes of a command's output that the log keeps, of each stream."""
# Where the job is not, the command has an empty directory that is removed afterwards.
_COMMAND = """
if [ -d "$1/data/work" ]; then cd "$1/data/work"; exec sh -c "$2"; fi
d=$(mktemp -d) && cd "$d" && { sh -c "$2"; s=$?; cd /; rm -rf "$d"; exit $s; }
"""


class Steps:
    """Of one plan that is carried out. `touched`: the jobs that it has worked on, by their own names."""

    def __init__(self, checked: Checked, host: Host, context: Context, log: Log) -> None:
        self._plan = checked.plan
        self._nodes = dict(checked.nodes)
        self._host = host
        self._labelled = checked.labelled
        self._context = context
        self._log = log
        self._names: dict[str, str] = {}
        self._mutex = threading.Lock()
        self.touched: list[str] = []

    def actual(self, job: str) -> str:
        """The name that a job of the plan has among all jobs: another one, if an earlier one of that name still lives."""
        return self._names.get(job, job)

    def job(self, name: str) -> Job | None:
        """The record of a job of the plan; None if the plan is to start it, and has not yet."""
        if name not in self._names and self._plan.jobs[name].path is not None:
            return None
        return self._context.store.load(self.actual(name))

    def remember(self, names: Mapping[str, str]) -> None:
        """Jobs that the plan has worked on before, by its own names for them."""
        self._names |= {job: name for job, name in names.items() if self._plan.jobs[job].path is not None}
        self.touched += names.values()

    def already(self, step: Step) -> bool:
        """Whether a step that was cut off has come to its end all the same."""
        job = self.job(step.job) if step.job else None
        if job is not None and step.verb is Verb.RUN and step.at and job.state is State.RUNNING:
            self.stop(step.job or "", step.at, step.timeout or STOP_SECONDS)
            return True
        return already(step, job, self.node(step.on) if step.on else None)

    def do(self, step: Step) -> str:
        """Carries a step out; returns what may be said of it. Raises `TransprocError`."""
        if step.verb is Verb.COMMAND:
            return self._command(step)
        if step.job is None:
            raise TransprocError(f"step {step.name}: no job")
        if step.verb is Verb.RUN:
            return self._run(step, step.job)
        name = self.actual(step.job)
        self._touch(name, step.job)
        return _VERBS[step.verb](self, step, name)

    def stop(self, job: str, where: str, timeout: float) -> None:
        """Stops a job at a function or address. Raises `PauseError` if it does not get there in time."""
        name = self.actual(job)
        self._touch(name, job)
        operations.pause(self._context, name, at=check.address(where), timeout=timeout)

    # --- verbs -------------------------------------------------------------------------------------------------

    def _run(self, step: Step, job: str) -> str:
        program = self._plan.jobs[job]
        node = self.node(step.on)
        with self._mutex:
            name = self._free(job)
            self._names[job] = name
            self._touch(name, job)
        with programs.ready(program) as what:
            started = operations.run(
                self._context,
                what,
                node,
                name=name,
                pause_at=check.address(step.at) if step.at else None,
                timeout=step.timeout or STOP_SECONDS,
                user=program.user,
            )
        return f"{name}, pid {started.pid}" + (f", stopped at {step.at}" if step.at else "")

    def _pause(self, step: Step, name: str) -> str:
        if step.at is None and self._context.store.load(name).state is State.PAUSED:
            return "it is"
        if step.at:
            self.stop(step.job or name, step.at, step.timeout or STOP_SECONDS)
            return f"stopped at {step.at}"
        operations.pause(self._context, name, timeout=step.timeout or PAUSE_SECONDS)
        return "stopped"

    def _dump(self, step: Step, name: str) -> str:
        operations.dump(self._context, name)
        return ""

    def _transform(self, step: Step, name: str) -> str:
        isa = step.on if is_isa(self._plan, step) else self._isa(self.node(step.on))
        operations.transform(self._context, name, isa)
        return str(isa)

    def _ship(self, step: Step, name: str) -> str:
        operations.ship(self._context, name, self.node(step.on))
        return ""

    def _restore(self, step: Step, name: str) -> str:
        """On the node where it stands, a job that is merely dumped goes on."""
        node, job = self.node(step.on), self._context.store.load(name)
        if not (node == job.node and job.state is State.DUMPED):
            if not (job.state is State.RESTORED and job.target == node):  # else it was cut off after that
                operations.restore(self._context, name, node)
            if step.stopped:
                return f"both copies are stopped, on {job.node} and {node}"
            job = operations.resume(self._context, name, stay_paused=step.at is not None)
        elif step.at is None:
            operations.resume(self._context, name)
        if step.at:
            if job.state is State.DUMPED:  # in its own place it goes on to the next stop from its pause
                operations.resume(self._context, name)
            self.stop(step.job or name, step.at, step.timeout or STOP_SECONDS)
            return f"stopped at {step.at}"
        return f"{name} runs on {node}"

    def _resume(self, step: Step, name: str) -> str:
        job = self._context.store.load(name)
        if job.state is not State.RUNNING:  # else it was let go when the plan was cut off
            job = operations.resume(self._context, name)
        return f"{name} runs on {job.node}"

    def _migrate(self, step: Step, name: str) -> str:
        timeout = step.timeout or (STOP_SECONDS if step.at else PAUSE_SECONDS)
        where = check.address(step.at) if step.at else None
        node = self.node(step.on)
        if step.on in self._labelled and self._context.store.load(name).node == node:
            return "it is there"
        try:
            hop = operations.migrate(
                self._context, name, node, at=where, timeout=timeout, stay_paused=step.stopped
            )
        except MigrationError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            raise
        return f"downtime {hop.downtime:.2f} s"

    def _checkpoint(self, step: Step, name: str) -> str:
        timeout = step.timeout or (STOP_SECONDS if step.at else PAUSE_SECONDS)
        where = check.address(step.at) if step.at else None
        made = operations.checkpoint(
            self._context, name, step.directory, at=where, timeout=timeout, end=step.end
        )
        return str(made.path)

    def _kill(self, step: Step, name: str) -> str:
        operations.kill(self._context, name)
        return ""

    def _wait(self, step: Step, name: str) -> str:
        job = wait(self._context.store, name, self._context.places, step.timeout)
        return job.exit or ""

    def _command(self, step: Step) -> str:
        """In the job's directory, if the job is there."""
        node = self.node(step.on)
        name = self.actual(step.job) if step.job else "none"
        place = self._context.places(Job(name, node, ["command"]))
        words = ["sh", "-c", _COMMAND, "sh", place.directory, step.command]
        done = place.node.run(words, check=False, timeout=step.timeout or COMMAND_SECONDS)
        output = done.stdout[:MOST_OUTPUT] + done.stderr[:MOST_OUTPUT]
        text = output.decode(errors="replace").strip()
        if done.returncode:
            raise TransprocError(f"{step.command}: status {done.returncode}: {text}")
        return text

    # --- names -------------------------------------------------------------------------------------------------

    def _free(self, job: str) -> str:
        store = self._context.store
        for number in range(1, 10_000):
            name = job if number == 1 else f"{job[:34]}-{number}"
            check_name(name)
            if name not in store.names() or store.load(name).state is State.EXITED:
                return name
        raise TransprocError(f"job {job}: too many of that name live")

    def _touch(self, name: str, job: str) -> None:
        if name not in self.touched:
            self._log.touch(name, job)
            self.touched.append(name)

    def node(self, name: str | None) -> str:
        """The node that the plan means by a name at this moment. Raises `TransprocError` if there is none such any more."""
        name = name or ""
        if name in self._labelled:
            before = self._nodes.get(name)
            found = now(self._host, self._plan.nodes[name], before)
            if found != before:
                self._context.events.note(
                    f"{name} is {found} now" + (f", no more {before}" if before else "")
                )
            self._nodes[name] = found
        return self._nodes.get(name, name)

    def _isa(self, node: str) -> str:
        return self._context.places(Job("isa", node, ["isa"])).node.isa


_VERBS: dict[Verb, Callable[[Steps, Step, str], str]] = {
    Verb.PAUSE: Steps._pause,
    Verb.DUMP: Steps._dump,
    Verb.TRANSFORM: Steps._transform,
    Verb.SHIP: Steps._ship,
    Verb.RESTORE: Steps._restore,
    Verb.RESUME: Steps._resume,
    Verb.MIGRATE: Steps._migrate,
    Verb.CHECKPOINT: Steps._checkpoint,
    Verb.KILL: Steps._kill,
    Verb.WAIT: Steps._wait,
}

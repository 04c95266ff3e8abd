# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A plan is carried out: block by block, each step by an operation of its own, and every one recorded before it begins.

It may be called off between steps: the step under way comes to its end. When a plan does not come to its end, for this or because
a step has failed, each of its jobs that is stopped goes on: one copy of each runs.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from transproc.automation.plans.checked import Checked
from transproc.automation.plans.conditions import Watch
from transproc.automation.plans.gates import NAP, Gates, Stop, StoppedError
from transproc.automation.plans.model import Block, Item, Parallel, Repeat, Step
from transproc.automation.plans.progress import Progress
from transproc.automation.plans.records import Log, Result
from transproc.automation.plans.steps import Steps
from transproc.cluster import operations
from transproc.cluster.events import Token
from transproc.cluster.job import Job
from transproc.cluster.operations import Context
from transproc.errors import StoreError, TransprocError
from transproc.host import Host
from transproc.log import Step as Shown


@dataclass
class Outcome:
    """How a plan ended; `jobs`: what became of each that it has worked on, in words; `error`: why it failed."""

    result: Result
    jobs: dict[str, str]
    steps: int
    error: TransprocError | None = None

    @property
    def text(self) -> str:
        """For the log."""
        words = [self.error.message] if self.error else []
        return "; ".join([*words, *self.jobs.values()])


class Executor:
    """`context`: whose events are told, and whose `cancel` calls it off. `progress`: how far the plan has come before."""

    def __init__(
        self,
        checked: Checked,
        host: Host,
        context: Context,
        log: Log,
        *,
        progress: Progress | None = None,
    ) -> None:
        self._before = progress or Progress()
        self._plan = checked.plan
        self._cancel = context.cancel
        self._events = context.events
        self._context = replace(context, cancel=Token())  # a step that has begun comes to its end
        self._log = log
        self._stop = Stop(context.cancel)
        self._count = 0
        self._left = False
        self._commands: list[threading.Thread] = []
        self._mutex = threading.Lock()
        self.steps = Steps(checked, host, self._context, log)
        watch = Watch(
            context.store, lambda name: host.facts(self.steps.node(name)), self.steps.job, context.places
        )
        self._gates = Gates(self._stop, watch, self.steps, self._context, self._before.elapsed)

    def run(self) -> Outcome:
        """Carries it out. Raises nothing: what went wrong is in the outcome."""
        error: TransprocError | None = None
        with self._cancel.deferred():
            try:
                self._block(self._plan.main, "")
                self._await_commands()
                result = Result.DONE
            except StoppedError:
                result = Result.INTERRUPTED
            except KeyboardInterrupt:  # a second time: the step was taken back
                result = Result.INTERRUPTED
            except (TransprocError, OSError) as found:
                result, error = Result.FAILED, _meant(found)
            jobs = self._leave(result)
        outcome = Outcome(result, jobs, self._count, error)
        if not self._left:  # else `recover` settles the jobs, and ends the plan then
            self._note(lambda: self._log.finish(result, outcome.text))
        return outcome

    def _note(self, record: Callable[[], None]) -> None:
        """A log that cannot be written changes nothing any more of what has happened; `recover` gives the plan an end."""
        try:
            record()
        except StoreError as error:
            self._events.note(error.message)

    def _leave(self, result: Result) -> dict[str, str]:
        """What becomes of the jobs."""
        found = {}
        for name in self.steps.touched:
            try:
                job = self._context.store.load(name)
                if result is not Result.DONE and (job.stopped or self._context.store.unsettled(job)):
                    job = operations.resume(self._context, name)
            except (TransprocError, OSError) as error:
                self._left = True
                found[name] = (
                    f"{name} stays as it is: {_meant(error).message}; 'transproc recover' lets it go on"
                )
            else:
                found[name] = describe(job)
        return found

    # --- blocks ------------------------------------------------------------------------------------------------

    def _block(self, block: Block, place: str) -> None:
        for number, item in enumerate(block, 1):
            self._item(item, f"{place}{number}")

    def _item(self, item: Item, place: str) -> None:
        self._stop.check()
        if isinstance(item, Step):
            self._step(item, place)
        elif self._before.begun(place) or self._gates.passed(item.gate, None):
            if isinstance(item, Repeat):
                self._repeat(item, place)
            else:
                self._parallel(item, place)

    def _repeat(self, item: Repeat, place: str) -> None:
        first = self._before.round(place)
        turn = max(0, first - 1)  # the rounds before that are settled
        while item.times is None or turn < item.times:
            turn += 1
            begin = time.monotonic()
            try:
                self._block(item.body, f"{place}#{turn}.")
            except (TransprocError, OSError):
                if not self._is_over(
                    item
                ):  # a program may end in the middle of what is repeated until it does
                    raise
            if self._is_over(item):
                return
            if time.monotonic() - begin < NAP:
                self._stop.sleep(NAP)  # a block of nothing but skipped steps must not burn a processor
        self._stop.check()

    def _is_over(self, item: Repeat) -> bool:
        return bool(item.until) and all(self._gates.holds(condition) for condition in item.until)

    def _parallel(self, item: Parallel, place: str) -> None:
        """If one branch fails the others end after the step that each has under way."""
        with ThreadPoolExecutor(len(item.branches) or 1, thread_name_prefix="transproc-plan") as pool:
            branches = [
                pool.submit(contextvars.copy_context().run, self._branch, branch, f"{place}/{number}.")
                for number, branch in enumerate(item.branches, 1)
            ]
            self._await(branches)
        errors = [error for branch in branches if (error := branch.exception())]
        for error in sorted(errors, key=lambda error: isinstance(error, StoppedError)):
            raise error

    def _branch(self, block: Block, place: str) -> None:
        try:
            self._block(block, place)
        except BaseException:
            self._stop.set()
            raise

    def _await(self, branches: list[Future[None]]) -> None:
        while not all(branch.done() for branch in branches):
            self._stop.look()
            time.sleep(NAP)

    # --- one step ----------------------------------------------------------------------------------------------

    def _step(self, step: Step, place: str) -> None:
        if place in self._before.settled:
            return
        if step.background:
            # one that still runs when the plan is called off ends with the connection to its node
            thread = threading.Thread(target=self._command, args=(step, place), daemon=True)
            thread.start()
            self._commands.append(thread)
        else:
            self._do(step, place)

    def _command(self, step: Step, place: str) -> None:
        """Beside the plan, which goes on whatever comes of it."""
        try:
            self._do(step, place)
        except (TransprocError, StoppedError, OSError) as error:
            self._events.note(f"{step.title}: {error}")

    def _await_commands(self) -> None:
        for thread in self._commands:
            while thread.is_alive():
                self._stop.check()
                thread.join(NAP)

    def _do(self, step: Step, place: str) -> None:
        with self._recorded(step, place) as shown:
            if place in self._before.under_way and self.steps.already(step):
                shown.detail = "had come to its end"
            elif self._gates.passed(step.gate, step):
                shown.detail = self.steps.do(step)
            else:
                shown.detail = "left out: its condition did not come true"

    @contextmanager
    def _recorded(self, step: Step, place: str) -> Iterator[Shown]:
        title = f"{place} {step.title}"
        with self._mutex:
            self._count += 1
        number = self._log.begin(place, step, step.title)
        try:
            with self._events.step(title) as shown:
                yield shown
        except BaseException as error:
            result, detail = _ended(error)
            self._note(lambda: self._log.end(number, result, detail))
            raise
        self._log.end(
            number, Result.SKIPPED if shown.detail.startswith("left out") else Result.DONE, shown.detail
        )


def _meant(error: TransprocError | OSError) -> TransprocError:
    """A disk of this host that is full, or a file that is not there any more, is no error of ours."""
    return error if isinstance(error, TransprocError) else TransprocError(str(error))


def _ended(error: BaseException) -> tuple[Result, str]:
    """How a step ended that has raised this."""
    if isinstance(error, StoppedError):
        return Result.INTERRUPTED, ""
    if isinstance(error, KeyboardInterrupt):
        return Result.INTERRUPTED, "taken back"
    return Result.FAILED, getattr(error, "message", str(error))


def describe(job: Job) -> str:
    """What became of a job, in words."""
    if job.exit is not None:
        return f"{job.name} has ended on {job.node} ({job.exit})"
    return f"{job.name} {'runs' if not job.stopped else f'is {job.state}'} on {job.node}"

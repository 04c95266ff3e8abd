# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Migration of a job as one transaction.

    preflight → prepare (→ files, precopy) → pause → dump → fetch → transform → ship → restore → verify
        (→ compare, pages) → commit (→ pages) → retire

The source is stopped at `pause` and stays so. Until `commit` has begun, any failure (Ctrl-C as well) removes what is on the
target and lets the source go on. `commit` resumes the target's copy; if it then cannot be known whether that happened,
neither side is touched, and the error says so. After it the source's copy is killed; if that fails it stays
stopped, which is reported, not an error. So at most one copy ever runs, and none is killed before the other one does.

With `Options.lazy` the target's copy runs before its memory is there: until the last page has come the job is OWING, and
the source's copy is needed. What fails then undoes nothing: the program waits, and `recover` goes on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from transproc.cluster.events import Cancel, Events, Silent, Token
from transproc.cluster.job import Hop, Job, State
from transproc.cluster.move import Move, Transform
from transproc.cluster.phase import KIND, Phase
from transproc.cluster.place import PauseRequest, Place
from transproc.cluster.store import JobStore, Result
from transproc.cluster.undo import Undo
from transproc.errors import MigrationError, StoreError, TransprocError, cause_of
from transproc.log import Step
from transproc.process.criu import Options
from transproc.text import human, plural


def bring(move: Move, step: Step, cancel: Cancel) -> int:
    """Brings the pages that a job's source still owes; tells how far it is, and returns the bytes that came."""
    for link in move.bring_pages(cancel):
        come = move.paging.bytes_followed + link.bytes
        if link.left is not None:
            step.progress(come, come + link.left)
    return move.paging.bytes_followed


def resumed(lost: int) -> str:
    """What a step says whose transfer went on after so many lost connections."""
    return f", resumed after {plural(lost, 'lost connection')}" if lost else ""


class Migration:
    """One job's way from the node that holds it to another."""

    def __init__(
        self,
        store: JobStore,
        job: Job,
        source: Place,
        target: Place,
        *,
        transform: Transform,
        request: PauseRequest | None = None,
        stay_paused: bool = False,
        keep: bool = False,
        options: Options | None = None,
        events: Events | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Raises `TransprocError` if source and target are the same node. `events`, `cancel`: nobody, by default."""
        self.job = job
        # images that are kept shall have all of its memory
        options = replace(options or Options(), withhold=not keep)
        self.move = Move(store, job, source, target, transform=transform, options=options)
        self.request = replace(request or PauseRequest(), quiet=True)
        self.seconds: dict[str, float] = {}
        self.phase = Phase.PREFLIGHT
        self._store = store
        self._events: Events = events or Silent()
        self._cancel: Cancel = cancel or Token()
        self._attempt, self._started = 0, 0.0
        self._step = Step("")
        self._was_paused = job.state is State.PAUSED
        self._undo = Undo(job, self.move, self._events, was_paused=self._was_paused)
        self._stay_paused = stay_paused
        self._keep = keep
        self._down_since = 0.0
        self._downtime = 0.0

    def run(self) -> Hop:
        """Migrates; raises `MigrationError`, whose outcome says where the process is and whether it runs."""
        if self.job.state not in (State.RUNNING, State.PAUSED):
            raise self._wrong_state()
        names = self.move.source.node.name, self.move.target.node.name
        self._attempt, self._started = self._store.begin(self.job, KIND, names[1]), time.time()
        with (
            self._events.step(f"migrate {self.job.name} from {names[0]} to {names[1]}") as whole,
            self._cancel.deferred(),
        ):
            try:
                for number, (phase, action) in enumerate(self._plan()):
                    if phase is not Phase.RETIRE and not self._runs(phase):
                        self._cancel.check()
                    self._do(number, phase, action)
            except BaseException as error:
                raise self._failure(error) from error
            whole.detail = f"downtime {self._downtime:.2f} s"
        return self._done()

    def _done(self, outcome: str = "") -> Hop:
        """The job runs on the target."""
        names = self.move.source.node.name, self.move.target.node.name
        downtime = self._downtime or time.perf_counter() - self._down_since
        hop = Hop(*names, self._started, round(downtime, 4), self.seconds, self.move.bytes_sent)
        self._settle(Result.DONE, outcome, hop)
        self.job.history.append(hop)
        return hop

    def _plan(self) -> Iterator[tuple[Phase, Callable[[], str]]]:
        """What the preflight has found out decides how the memory goes."""
        move = self.move
        stopped = self._was_paused and self.request.at is None and self.request.count is None
        yield Phase.PREFLIGHT, move.preflight
        yield Phase.PREPARE, self._prepare
        if move.large_files and not self._was_paused:
            yield Phase.FILES, self._send_files
        if move.options.precopy:
            yield Phase.PRECOPY, self._copy_ahead
        if not stopped:
            yield Phase.PAUSE, lambda: move.pause(self.request)
        yield Phase.DUMP, move.dump
        yield Phase.FETCH, lambda: move.fetch(self._tell)
        yield Phase.TRANSFORM, lambda: move.transform(move.target.node.isa)
        yield Phase.SHIP, lambda: move.ship(self._tell)
        yield Phase.RESTORE, move.restore
        yield Phase.VERIFY, move.verify
        if move.options.precopy and not move.options.lazy:
            yield Phase.COMPARE, lambda: move.paging.compare(self._cancel)
        if move.options.withhold and not move.options.follows:
            yield Phase.PAGES, self._bring_pages
        yield Phase.COMMIT, lambda: move.commit(stay_paused=self._stay_paused)
        if move.options.follows:
            yield Phase.PAGES, self._bring_pages
        yield Phase.RETIRE, lambda: move.retire(keep=self._keep)

    def _do(self, number: int, phase: Phase, action: Callable[[], str]) -> None:
        self.phase = phase
        # Only what `recover` cannot find out by itself is waited for. That is whether the target's copy may have been let go; and
        # whether the target has something of the job, or a copy, which `Move.prepare` and `Move.restore` record.
        self._store.step(self._attempt, number, phase, at_once=phase is Phase.COMMIT)
        if phase in (Phase.PAUSE, Phase.DUMP) and not self._down_since:
            self._down_since = time.perf_counter()
        with self._events.step(phase) as step:
            self._step = step
            step.detail = action()
        self.seconds[str(phase)] = round(step.seconds, 4)
        if phase is Phase.PAUSE:
            self._down_since += self.move.watched
        if phase is Phase.COMMIT:
            self._downtime = (self.move.went_on or time.perf_counter()) - self._down_since
        self._store.step_done(self._attempt, number, round(step.seconds, 4), step.detail, at_once=False)

    def _runs(self, phase: Phase) -> bool:
        """Whether it is the step in which the program runs already, and its memory follows."""
        return phase is Phase.PAGES and self.move.options.follows

    def _tell(self, done: int, total: int) -> None:
        self._step.progress(done, total)

    def _prepare(self) -> str:
        detail = self.move.prepare()
        self.move.start_criu()
        return detail

    def _send_files(self) -> str:
        """The program runs meanwhile."""
        move, begin = self.move, time.perf_counter()

        def told(count: int) -> None:
            self._cancel.check()
            self._step.progress(count, max(count, move.files.size))

        count = move.send_files(told)
        rate = human(count / max(time.perf_counter() - begin, 0.001))
        return f"{human(count)}, {rate}/s{resumed(move.files.lost)}"

    def _copy_ahead(self) -> str:
        """The program runs meanwhile."""
        move, begin = self.move, time.perf_counter()
        sent, rounds = 0, []
        for copying in move.copy_ahead(self._cancel):
            sent, rounds = move.paging.bytes_ahead + copying.bytes, copying.rounds
            self._step.progress(sent, max(sent, move.memory))
        seconds = max(time.perf_counter() - begin, 0.001)
        rest = ", the rest follows" if move.options.lazy else ""
        return (
            f"{human(sent)}, {human(sent / seconds)}/s, {len(rounds)} rounds{resumed(move.paging.lost)}{rest}"
        )

    def _bring_pages(self) -> str:
        """The program runs meanwhile, or is restored and stopped."""
        move, begin = self.move, time.perf_counter()
        come = bring(move, self._step, self._cancel)
        return f"{human(come)}, {human(come / max(time.perf_counter() - begin, 0.001))}/s"

    def _failure(self, error: BaseException) -> MigrationError:
        """Undoes what was done and says what became of the process."""
        with self._events.step("undo"):
            self.move.undo()
            outcome, result = self._undo.put_in_order(self.phase, error)
            self._note_cause(cause_of(error))
            if result is Result.DONE:
                self._done(outcome)
            else:
                self._settle(result, outcome)
        if self.move.unrecorded:
            outcome += f" (this could not be recorded: 'transproc recover {self.job.name}' when it can)"
        return MigrationError.of_step(self.phase, error, outcome)

    def _note_cause(self, message: str) -> None:
        """Beside the step that has failed. If that cannot be recorded, the end is tried all the same, and says so."""
        with contextlib.suppress(StoreError):
            self._store.step_failed(self._attempt, message)

    def _settle(self, result: Result, outcome: str = "", hop: Hop | None = None) -> None:
        self.move.record_end(self._attempt, result, outcome, hop, self._events)

    def _wrong_state(self) -> TransprocError:
        name, state = self.job.name, self.job.state
        if state is State.EXITED:
            return TransprocError(f"job {name}: has ended ({self.job.exit})")
        hint = f"'transproc resume {name}' lets it go on first" if self.job.stopped else None
        return TransprocError(f"job {name}: is {state}, expected running or paused", hint=hint)

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
from enum import StrEnum

from transproc.cluster.events import Cancel, Events, Silent, Token
from transproc.cluster.job import Hop, Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.move import Move, Transform
from transproc.cluster.place import RECORD_SECONDS, PauseRequest, Place
from transproc.cluster.store import JobStore, Result
from transproc.errors import MigrationError, NodeError, PauseError, StoreError, TransprocError, cause_of
from transproc.log import Step
from transproc.process.criu import Options
from transproc.text import human, plural

KIND = "migrate"
"""Of a migration's attempt in the store."""


class Phase(StrEnum):
    """The steps, in order."""

    PREFLIGHT = "preflight"
    PREPARE = "prepare"
    FILES = "files"
    PRECOPY = "precopy"
    PAUSE = "pause"
    DUMP = "dump"
    FETCH = "fetch"
    TRANSFORM = "transform"
    SHIP = "ship"
    RESTORE = "restore"
    VERIFY = "verify"
    COMPARE = "compare"
    COMMIT = "resume"
    PAGES = "pages"
    RETIRE = "retire"


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


def owing(job: Job) -> str:
    """What became of a job whose pages do not come at the moment."""
    return (
        f"{job.name} runs on {job.node} as far as its memory is there, and waits for what {job.owed_by} still holds; "
        f"'transproc recover {job.name}' brings that"
    )


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
            outcome, result = self._undo(error)
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

    def _undo(self, error: BaseException) -> tuple[str, Result]:
        """Puts things in order; returns what became of the process, and how the migration ended."""
        name, source, target = self.job.name, self.move.source.node.name, self.move.target.node.name
        if self._runs(self.phase):
            self.move.paging.close()
            if self.move.has_ended_owed():
                return f"{name} has ended on {target} ({self.job.exit})", Result.DONE
            return owing(self.job), Result.DONE
        if self.phase is Phase.RETIRE:
            return f"{name} runs on {target}; a stopped copy may be left on {source}", Result.DONE
        if self.phase is Phase.COMMIT and (found := self._undecided()):
            return found
        if self._has_ended(error):
            return f"{name} has ended on {source} ({self.job.exit})", Result.ENDED
        if self.phase is Phase.PREFLIGHT:
            return self._as_before("was not touched"), Result.UNDONE
        try:
            left = self.move.abandon_target(never_ran=self.phase is not Phase.COMMIT)
        except TransprocError as other:
            hint = f"{other.message}; 'transproc resume {name}' tries again"
            return f"{name} stays stopped on {source}: {hint}", Result.UNDECIDED
        note = f" (node {target} could not be cleaned: {left})" if left else ""
        if self.phase in (Phase.PREPARE, Phase.FILES, Phase.PRECOPY):
            return self._as_before("was not touched") + note, Result.UNDONE
        if self._was_paused:
            return self._keep_paused() + note, Result.UNDONE
        if self.phase is Phase.PAUSE and isinstance(error, PauseError):
            return self._as_before("was let go") + note, Result.UNDONE
        outcome, result = self._resume_source()
        return outcome + note, result

    def _as_before(self, what: str) -> str:
        state = "is paused" if self._was_paused else "runs"
        return f"{self.job.name} {what}: it {state} on {self.move.source.node.name}"

    def _has_ended(self, error: BaseException) -> bool:
        """The program may simply have come to its end before it was stopped."""
        ended = isinstance(error, PauseError) and error.ended
        if self.phase is not Phase.PAUSE and not (self.phase is Phase.PREFLIGHT and ended):
            return False
        status = self._status(RECORD_SECONDS if ended else 0.0)
        if status is None:
            return False
        if left := self.move.abandon_target(never_ran=True):
            self._events.note(left)
        self.move.has_ended(status)
        return True

    def _status(self, within: float = RECORD_SECONDS) -> str | None:
        """How the program ended, if that is known."""
        try:
            return self.move.source.exit_status(within)
        except TransprocError:
            return None

    def _undecided(self) -> tuple[str, Result] | None:
        """After a failed commit: None if the target's copy certainly does not run, else the outcome."""
        name, source, target = self.job.name, self.move.source.node.name, self.move.target.node.name
        try:
            liveness = self.move.target.liveness(self.job.pid)
        except TransprocError:
            return (
                f"{name} is on {target}, which does not answer: it may run there, so its copy on {source} stays stopped; "
                f"'transproc resume {name}' asks {target} again, with --source --force its copy is given up for lost",
                Result.UNDECIDED,
            )
        if liveness is not Liveness.RUNNING:
            return None
        with contextlib.suppress(TransprocError):  # else `recover` does
            self.move.target.plug()
        self.move.adopt()
        if self.job.state is State.OWING:
            return owing(self.job), Result.DONE
        return (
            f"{name} runs on {target}; {self.move.retire() or 'its copy on ' + source + ' is gone'}",
            Result.DONE,
        )

    def _keep_paused(self) -> str:
        self.move.keep(State.PAUSED)
        return f"{self.job.name} is paused on {self.move.source.node.name}, as before"

    def _resume_source(self) -> tuple[str, Result]:
        name, source = self.job.name, self.move.source.node.name
        try:
            self.move.resume_source()
        except NodeError as error:
            return (
                f"{name} is on {source}, which does not answer ({error.message}): it is stopped there, or lost with the node; "
                f"'transproc resume {name}' lets it go on",
                Result.UNDECIDED,
            )
        except TransprocError as error:
            status = self._status() if isinstance(error, PauseError) and error.ended else None
            if status is None:
                return f"{name} could not be resumed on {source}: {error.message}", Result.UNDECIDED
            self.move.has_ended(status)
            return f"{name} has ended on {source} ({status})", Result.ENDED
        return f"{name} runs on {source} again", Result.UNDONE

    def _wrong_state(self) -> TransprocError:
        name, state = self.job.name, self.job.state
        if state is State.EXITED:
            return TransprocError(f"job {name}: has ended ({self.job.exit})")
        hint = f"'transproc resume {name}' lets it go on first" if self.job.stopped else None
        return TransprocError(f"job {name}: is {state}, expected running or paused", hint=hint)

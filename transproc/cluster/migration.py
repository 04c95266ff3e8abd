"""Migration of a job as one transaction.

    preflight → prepare → pause → dump → fetch → transform → ship → restore → verify → commit → retire

The source is stopped at `pause` and stays so. Until `commit` has begun, any failure (Ctrl-C as well) removes what is on the
target and lets the source go on. `commit` resumes the target's copy; if it then cannot be known whether that happened,
neither side is touched, and the error says so. After it the source's copy is killed; if that fails it stays
stopped, which is reported, not an error. So at most one copy ever runs, and none is killed before the other one does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from transproc import log
from transproc.cluster.interrupt import deferred
from transproc.cluster.job import Hop, Job, State
from transproc.cluster.move import Move, Transform
from transproc.cluster.place import RECORD_SECONDS, Liveness, PauseRequest, Place
from transproc.cluster.store import JobStore
from transproc.errors import MigrationError, NodeError, PauseError, TransprocError
from transproc.process.criu import Options


class Phase(StrEnum):
    """The steps, in order."""

    PREFLIGHT = "preflight"
    PREPARE = "prepare"
    PAUSE = "pause"
    DUMP = "dump"
    FETCH = "fetch"
    TRANSFORM = "transform"
    SHIP = "ship"
    RESTORE = "restore"
    VERIFY = "verify"
    COMMIT = "resume"
    RETIRE = "retire"


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
        options: Options | None = None,
    ) -> None:
        self.job = job
        self.move = Move(store, job, source, target, transform=transform, options=options)
        self.request = request or PauseRequest()
        self.seconds: dict[str, float] = {}
        self.phase = Phase.PREFLIGHT
        self._store = store
        self._was_paused = job.state is State.PAUSED
        self._stay_paused = stay_paused
        self._down_since = 0.0
        self._downtime = 0.0

    def run(self) -> Hop:
        """Migrates; raises `MigrationError`, whose outcome says where the process is and whether it runs."""
        if self.job.state not in (State.RUNNING, State.PAUSED):
            raise self._wrong_state()
        started = time.time()
        names = self.move.source.node.name, self.move.target.node.name
        with (
            log.step(f"migrate {self.job.name} from {names[0]} to {names[1]}") as whole,
            deferred() as interrupt,
        ):
            try:
                for phase, action in self._plan():
                    if phase is not Phase.RETIRE:
                        interrupt.check()
                    self._do(phase, action)
            except BaseException as error:
                raise self._failure(error) from error
            whole.detail = f"downtime {self._downtime:.2f} s"
        hop = Hop(*names, started, round(self._downtime, 4), self.seconds, self.move.bytes_sent)
        self.job.history.append(hop)
        self._store.save(self.job)
        return hop

    def _plan(self) -> list[tuple[Phase, Callable[[], str]]]:
        move = self.move
        plan: list[tuple[Phase, Callable[[], str]]] = [
            (Phase.PREFLIGHT, move.preflight),
            (Phase.PREPARE, move.prepare),
            (Phase.PAUSE, lambda: move.pause(self.request)),
            (Phase.DUMP, move.dump),
            (Phase.FETCH, move.fetch),
            (Phase.TRANSFORM, lambda: move.transform(move.target.node.isa)),
            (Phase.SHIP, move.ship),
            (Phase.RESTORE, move.restore),
            (Phase.VERIFY, move.verify),
            (Phase.COMMIT, lambda: move.commit(stay_paused=self._stay_paused)),
            (Phase.RETIRE, move.retire),
        ]
        stopped = self._was_paused and self.request.at is None and self.request.count is None
        return [step for step in plan if not (stopped and step[0] is Phase.PAUSE)]

    def _do(self, phase: Phase, action: Callable[[], str]) -> None:
        self.phase = phase
        if phase in (Phase.PAUSE, Phase.DUMP) and not self._down_since:
            self._down_since = time.perf_counter()
        with log.step(phase) as step:
            step.detail = action()
        self.seconds[phase] = round(step.seconds, 4)
        if phase is Phase.COMMIT:
            self._downtime = time.perf_counter() - self._down_since

    def _failure(self, error: BaseException) -> MigrationError:
        """Undoes what was done and says what became of the process."""
        message = (
            "interrupted" if isinstance(error, KeyboardInterrupt) else getattr(error, "message", repr(error))
        )
        with log.step("undo"):
            outcome = self._undo(error)
        head, *rest = message.splitlines() or [""]
        failure = MigrationError(f"{self.phase}: {head}", outcome=outcome, hint=getattr(error, "hint", None))
        failure.message += "".join(f"\n  {line}" for line in rest)
        failure.exit_status = getattr(error, "exit_status", 1)
        return failure

    def _undo(self, error: BaseException) -> str:
        name, source, target = self.job.name, self.move.source.node.name, self.move.target.node.name
        if self.phase is Phase.PREFLIGHT:
            return self._as_before("was not touched")
        if self.phase is Phase.RETIRE:
            return f"{name} runs on {target}; a stopped copy may be left on {source}"
        if self.phase is Phase.COMMIT and (outcome := self._undecided()):
            return outcome
        if self._has_ended(error):
            return f"{name} has ended on {source} ({self.job.exit})"
        try:
            left = self.move.abandon_target(never_ran=self.phase is not Phase.COMMIT)
        except TransprocError as other:
            return f"{name} stays stopped on {source}: {other.message}; 'transproc resume {name}' tries again"
        note = f" (node {target} could not be cleaned: {left})" if left else ""
        if self.phase is Phase.PREPARE:
            return self._as_before("was not touched") + note
        if self._was_paused:
            return self._keep_paused() + note
        if self.phase is Phase.PAUSE and isinstance(error, PauseError):
            return self._as_before("was let go") + note
        return self._resume_source() + note

    def _as_before(self, what: str) -> str:
        state = "is paused" if self._was_paused else "runs"
        return f"{self.job.name} {what}: it {state} on {self.move.source.node.name}"

    def _has_ended(self, error: BaseException) -> bool:
        """The program may simply have come to its end before it was stopped."""
        if self.phase is not Phase.PAUSE:
            return False
        ended = isinstance(error, PauseError) and error.ended
        try:
            status = self.move.source.exit_status(RECORD_SECONDS if ended else 0.0)
        except TransprocError:
            return False
        if status is None:
            return False
        self.move.settle()
        self.job.exit, self.job.state, self.job.target = status, State.EXITED, None
        self._store.save(self.job)
        self._forget_target()
        return True

    def _forget_target(self) -> None:
        try:
            self.move.target.remove()
        except TransprocError as error:
            log.note(error.message)

    def _undecided(self) -> str | None:
        """After a failed commit: None if the target's copy certainly does not run, else the outcome."""
        name, source, target = self.job.name, self.move.source.node.name, self.move.target.node.name
        try:
            liveness = self.move.target.liveness(self.job.pid)
        except TransprocError:
            return (
                f"{name} is on {target}, which does not answer: it may run there, so its copy on {source} stays stopped; "
                f"'transproc resume {name}' asks {target} again, with --source --force its copy is given up for lost"
            )
        if liveness is not Liveness.RUNNING:
            return None
        self.move.adopt()
        return f"{name} runs on {target}; {self.move.retire() or 'its copy on ' + source + ' is gone'}"

    def _keep_paused(self) -> str:
        self.move.keep_paused()
        return f"{self.job.name} is paused on {self.move.source.node.name}, as before"

    def _resume_source(self) -> str:
        name, source = self.job.name, self.move.source.node.name
        try:
            self.move.resume_source()
        except NodeError as error:
            return (
                f"{name} is on {source}, which does not answer ({error.message}): it is stopped there, or lost with the node; "
                f"'transproc resume {name}' lets it go on"
            )
        except TransprocError as error:
            return f"{name} could not be resumed on {source}: {error.message}"
        return f"{name} runs on {source} again"

    def _wrong_state(self) -> TransprocError:
        name, state = self.job.name, self.job.state
        if state is State.EXITED:
            return TransprocError(f"job {name}: has ended ({self.job.exit})")
        hint = f"'transproc resume {name}' lets it go on first" if self.job.stopped else None
        return TransprocError(f"job {name}: is {state}, expected running or paused", hint=hint)

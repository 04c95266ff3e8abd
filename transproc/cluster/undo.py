# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A migration that has failed: what is on the target goes, the source goes on, and somebody hears where the program is.

Before the commit the source's copy is the program; after it the target's. Where it cannot be known which of them runs, neither
is touched.
"""

from __future__ import annotations

import contextlib

from transproc.cluster.events import Events
from transproc.cluster.job import Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.move import Move
from transproc.cluster.phase import Phase
from transproc.cluster.place import RECORD_SECONDS
from transproc.cluster.store import Result
from transproc.errors import NodeError, PauseError, TransprocError


def owing(job: Job) -> str:
    """What became of a job whose pages do not come at the moment."""
    return (
        f"{job.name} runs on {job.node} as far as its memory is there, and waits for what {job.owed_by} still holds; "
        f"'transproc recover {job.name}' brings that"
    )


class Undo:
    """Of one migration; `was_paused`: so was the program when it began."""

    def __init__(self, job: Job, move: Move, events: Events, *, was_paused: bool) -> None:
        self._job = job
        self._move = move
        self._events = events
        self._was_paused = was_paused

    def put_in_order(self, phase: Phase, error: BaseException) -> tuple[str, Result]:
        """After a failure in a step; returns what became of the process, and how the migration ended."""
        name, source, target = self._job.name, self._move.source.node.name, self._move.target.node.name
        if phase is Phase.PAGES and self._move.options.follows:
            self._move.paging.close()
            if self._move.has_ended_owed():
                return f"{name} has ended on {target} ({self._job.exit})", Result.DONE
            return owing(self._job), Result.DONE
        if phase is Phase.RETIRE:
            return f"{name} runs on {target}; a stopped copy may be left on {source}", Result.DONE
        if phase is Phase.COMMIT and (found := self._undecided()):
            return found
        if self._has_ended(phase, error):
            return f"{name} has ended on {source} ({self._job.exit})", Result.ENDED
        if phase is Phase.PREFLIGHT:
            return self._as_before("was not touched"), Result.UNDONE
        try:
            left = self._move.abandon_target(never_ran=phase is not Phase.COMMIT)
        except TransprocError as other:
            hint = f"{other.message}; 'transproc resume {name}' tries again"
            return f"{name} stays stopped on {source}: {hint}", Result.UNDECIDED
        note = f" (node {target} could not be cleaned: {left})" if left else ""
        if phase in (Phase.PREPARE, Phase.FILES, Phase.PRECOPY):
            return self._as_before("was not touched") + note, Result.UNDONE
        if self._was_paused:
            return self._keep_paused() + note, Result.UNDONE
        if phase is Phase.PAUSE and isinstance(error, PauseError):
            return self._as_before("was let go") + note, Result.UNDONE
        outcome, result = self._resume_source()
        return outcome + note, result

    def _as_before(self, what: str) -> str:
        state = "is paused" if self._was_paused else "runs"
        return f"{self._job.name} {what}: it {state} on {self._move.source.node.name}"

    def _has_ended(self, phase: Phase, error: BaseException) -> bool:
        """The program may simply have come to its end before it was stopped."""
        ended = isinstance(error, PauseError) and error.ended
        if phase is not Phase.PAUSE and not (phase is Phase.PREFLIGHT and ended):
            return False
        status = self._status(RECORD_SECONDS if ended else 0.0)
        if status is None:
            return False
        if left := self._move.abandon_target(never_ran=True):
            self._events.note(left)
        self._move.has_ended(status)
        return True

    def _status(self, within: float = RECORD_SECONDS) -> str | None:
        """How the program ended, if that is known."""
        try:
            return self._move.source.exit_status(within)
        except TransprocError:
            return None

    def _undecided(self) -> tuple[str, Result] | None:
        """After a failed commit: None if the target's copy certainly does not run, else the outcome."""
        name, source, target = self._job.name, self._move.source.node.name, self._move.target.node.name
        try:
            liveness = self._move.target.liveness(self._job.pid)
        except TransprocError:
            return (
                f"{name} is on {target}, which does not answer: it may run there, so its copy on {source} stays stopped; "
                f"'transproc resume {name}' asks {target} again, with --source --force its copy is given up for lost",
                Result.UNDECIDED,
            )
        if liveness is not Liveness.RUNNING:
            return None
        with contextlib.suppress(TransprocError):  # else `recover` does
            self._move.target.plug()
        self._move.adopt()
        if self._job.state is State.OWING:
            return owing(self._job), Result.DONE
        return (
            f"{name} runs on {target}; {self._move.retire() or 'its copy on ' + source + ' is gone'}",
            Result.DONE,
        )

    def _keep_paused(self) -> str:
        self._move.keep(State.PAUSED)
        return f"{self._job.name} is paused on {self._move.source.node.name}, as before"

    def _resume_source(self) -> tuple[str, Result]:
        name, source = self._job.name, self._move.source.node.name
        try:
            self._move.resume_source()
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
            self._move.has_ended(status)
            return f"{name} has ended on {source} ({status})", Result.ENDED
        return f"{name} runs on {source} again", Result.UNDONE

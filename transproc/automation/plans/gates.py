# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a plan waits for between its steps: times, conditions, and whether it is to end."""

from __future__ import annotations

import threading
import time

from transproc.automation.plans.conditions import Watch
from transproc.automation.plans.model import Condition, Gate, Kind, Step, Verb
from transproc.automation.plans.steps import Steps
from transproc.cluster import operations
from transproc.cluster.events import Cancel
from transproc.cluster.operations import Context
from transproc.errors import NodeError, PauseError, TransprocError

POLL = 0.5
"""Seconds between two looks at conditions."""
NAP = 0.05
"""Seconds after which a wish to stop is noticed while nothing is under way."""
WATCH_SECONDS = (2.0, 30.0)
"""A program is watched for so long at once, at first and at most; in between a wish to stop is obeyed. Each time is an attempt in
the records."""
_OF_STOPPED = (Verb.PAUSE, Verb.DUMP, Verb.MIGRATE, Verb.CHECKPOINT, Verb.KILL, Verb.RESUME)
"""Steps that a paused job may be in for."""


class StoppedError(Exception):
    """The plan is to end here."""


class Stop:
    """Whether a plan is to end between two steps: its user wants it, or one of its branches has failed."""

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel
        self._wanted = threading.Event()

    def set(self) -> None:
        """It is to end."""
        self._wanted.set()

    def look(self) -> None:
        """Whether its user wants that; raises nothing."""
        try:
            self._cancel.check()
        except KeyboardInterrupt:
            self._wanted.set()

    def check(self) -> None:
        """Raises `StoppedError` if it is to end."""
        self.look()
        if self._wanted.is_set():
            raise StoppedError

    def sleep(self, seconds: float) -> None:
        """For so long, unless it is to end: as `check`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(NAP, left))
        self.check()


class Gates:
    """Of one plan that is carried out, and has begun so many seconds ago."""

    def __init__(
        self, stop: Stop, watch: Watch, steps: Steps, context: Context, elapsed: float = 0.0
    ) -> None:
        self._stop = stop
        self._watch = watch
        self._steps = steps
        self._context = context
        self._begin = time.monotonic() - elapsed

    def passed(self, gate: Gate, step: Step | None) -> bool:
        """Waits as a gate says; False if the step is to be left out. Raises `TransprocError` if it is not, and time is up."""
        if gate.open:
            return True
        self._stop.sleep(gate.after)
        self._stop.sleep(gate.since - (time.monotonic() - self._begin))
        until = None if gate.within is None else time.monotonic() + gate.within
        entering = [condition for condition in gate.when if condition.kind is Kind.ENTERS]
        others = [condition for condition in gate.when if condition.kind is not Kind.ENTERS]
        while True:
            if all(self.holds(condition) for condition in others) and all(
                self._enters(condition, until, step) for condition in entering
            ):
                return True
            if until is not None and time.monotonic() >= until:
                if gate.skip:
                    return False
                what = " and ".join(condition.text for condition in gate.when)
                raise TransprocError(f"not so within the time that the plan gives: {what}")
            self._stop.sleep(POLL if until is None else min(POLL, max(0.0, until - time.monotonic())))

    def holds(self, condition: Condition) -> bool:
        """Now. A node that does not answer is no reason to give a plan up: it is asked again."""
        try:
            return self._watch.holds(condition)
        except NodeError as error:
            self._context.events.note(f"{condition.text}: {error.message}")
            return False

    def _enters(self, condition: Condition, until: float | None, step: Step | None) -> bool:
        """The program is stopped there; it stays so for a step that is about it, and otherwise goes on."""
        turn, longest = WATCH_SECONDS
        while True:
            self._stop.check()
            left = turn if until is None else min(turn, until - time.monotonic())
            turn = min(longest, 2 * turn)
            if left <= 0:
                return False
            try:
                self._steps.stop(condition.subject, condition.what, left)
            except PauseError as error:
                if error.ended:
                    raise
                continue
            if step is None or step.job != condition.subject or step.verb not in _OF_STOPPED:
                operations.resume(self._context, self._steps.actual(condition.subject))
            return True

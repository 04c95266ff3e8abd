# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller's policy: rules that move jobs without anybody who asks (docs/policies.md). Each move is a task."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from transproc import paths
from transproc.automation.policies import Decision, Move, Policies, Policy, parse
from transproc.controller.requests.move import Migrate
from transproc.controller.stream import Stream
from transproc.controller.taskrecords import TaskState
from transproc.controller.tasks import Tasks
from transproc.errors import BusyError, TransprocError
from transproc.host import Host

EVERY = 30.0
"""Seconds from the beginning of a round to that of the next one."""
WHO = "policy"
"""Who asks for its tasks."""


def place(state: Path) -> Path:
    """Where the policy of a state directory's controller is."""
    return state / "controller" / "policy.toml"


def text(path: Path) -> str | None:
    """A policy as it was written; None if there is none."""
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return None


def write(path: Path, policy: str) -> None:
    """Replaces a policy, whole or not at all; it is for its owner only."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    paths.write_private(path, policy.encode())


@dataclass
class Outcome:
    """A move, and why it failed, if it did."""

    move: Move
    error: str | None


@dataclass
class Last:
    """The latest round: when, what it did, what it could not do, or why there was none."""

    time: float
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None


class Keeper:
    """Evaluates the policy in a thread of its own, round by round. `path`: where it is kept from start to start.

    Methods may be called from several threads.
    """

    def __init__(self, host: Host, tasks: Tasks, stream: Stream, path: Path, *, every: float = EVERY) -> None:
        self._host = host
        self._tasks = tasks
        self._stream = stream
        self._path = path
        self._every = every
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._policies: Policies | None = None
        self.last: Last | None = None

    @property
    def text(self) -> str | None:
        """The policy as it was written; None if there is none."""
        return text(self._path)

    def start(self) -> None:
        """Rounds begin."""
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more rounds; the tasks of one under way are ended with all others."""
        self._closing = True
        self._wake.set()

    def join(self) -> None:
        """Waits for the end of the round under way."""
        if self._thread is not None:
            self._thread.join()

    def set(self, text: str) -> Policy:
        """From now on this is the policy. Raises `FormatError` for one that is wrong, and the old one stays."""
        policy = parse(text)
        with self._lock:
            write(self._path, text)
        self._wake.set()
        return policy

    def unset(self) -> None:
        """There is no policy from now on."""
        with self._lock:
            self._path.unlink(missing_ok=True)
        self._wake.set()

    def explain(self, text: str | None = None) -> Decision:
        """What the policy, or this one, would do now; nothing moves. Raises `TransprocError`."""
        chosen = self.text if text is None else text
        if chosen is None:
            raise TransprocError("the controller has no policy", hint="PUT /api/v1/policy gives it one")
        return Policies(self._host, parse(chosen)).explain()

    def _run(self) -> None:
        while not self._closing:
            begin = time.monotonic()
            self._wake.clear()
            if (text := self.text) is not None:
                self._round(text)
            self._wake.wait(max(0.1, self._every - (time.monotonic() - begin)))

    def _round(self, text: str) -> None:
        """Whatever goes wrong in one, the next one is tried."""
        last = Last(time.time())
        before = self.last.notes if self.last else []
        try:
            policy = parse(text)
            if self._policies is None:
                self._policies = Policies(self._host, policy, act=self._act)
            self._policies.policy = policy
            report = self._policies.round()
            last.outcomes = [Outcome(move, error) for move, error in report.results]
            last.notes = report.decision.notes
        except TransprocError as error:
            last.error = error.message
        except Exception as error:  # a round that fails must not be the last one
            last.error = f"internal error: {error!r}"
        self.last = last
        for note in [*([last.error] if last.error else []), *last.notes]:
            if note not in before:
                self._stream.publish("note", {"task": None, "job": None, "message": f"policy: {note}"})

    def _act(self, job: str, node: str) -> None:
        if self._closing:
            raise BusyError("the controller is stopping")
        task = self._tasks.wait(self._tasks.submit(Migrate(job, node), WHO).number)
        if task.state is not TaskState.DONE:
            raise TransprocError((task.error or {}).get("message", str(task.state)))

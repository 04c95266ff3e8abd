# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A batch is carried out: runs are started where there is room, moved where that is worth it, and watched until they end.

When it is called off nothing more is started or moved; what runs goes on, as jobs like any other.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from transproc.automation.batch import decide
from transproc.automation.batch.decide import Estimates, Running, Seat
from transproc.automation.batch.model import Batch, Entry
from transproc.cluster import operations
from transproc.cluster.events import Silent, Token
from transproc.cluster.job import Job, State
from transproc.cluster.operations import Context
from transproc.cluster.watch import refresh
from transproc.errors import MigrationError, NodeError, TransprocError, UnsupportedError

POLL = 0.2
"""Seconds between two looks."""
AT_ONCE = 8
"""Starts and moves under way at the same time."""
TRIES = 3
"""Starts of one run, if nodes fail."""
GOOD = "status 0"
THEN = "nothing more is started or moved; what runs goes on"
"""What calling it off means."""


@dataclass
class Stay:
    """A run on a node, in seconds from the batch's beginning."""

    node: str
    begin: float
    end: float | None = None


@dataclass
class Run:
    """One run of a program. `job`: its name; `exit`: how it ended, or why it was given up; `digest` of what it printed."""

    number: int
    entry: Entry
    job: str
    stays: list[Stay] = field(default_factory=list)
    exit: str | None = None
    digest: str = ""
    progress: float = 0.0
    looked: float = 0.0
    tries: int = 0
    moves: int = 0
    under_way: Future[str] | None = None
    target: str | None = None

    @property
    def node(self) -> str | None:
        """Where it is."""
        return self.stays[-1].node if self.stays and self.stays[-1].end is None else None

    @property
    def seconds(self) -> float:
        """From its start to its end."""
        return (self.stays[-1].end or 0.0) - self.stays[0].begin if self.stays else 0.0


@dataclass
class Report:
    """What came of a batch: `seconds` from its beginning to its end, `cost` of all slots while runs were in them."""

    migrating: bool
    seats: list[Seat]
    runs: list[Run]
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def done(self) -> list[Run]:
        """Runs that ended well."""
        return [run for run in self.runs if run.exit == GOOD]

    @property
    def per_hour(self) -> float:
        """Runs."""
        return 3600 * len(self.done) / self.seconds if self.seconds else 0.0

    @property
    def cost(self) -> float:
        """In the currency of the nodes' prices."""
        rates = {seat.name: seat.rate for seat in self.seats}
        return sum(
            rates[stay.node] * ((self.seconds if stay.end is None else stay.end) - stay.begin)
            for run in self.runs
            for stay in run.stays
        )

    @property
    def moves(self) -> int:
        """Migrations."""
        return sum(run.moves for run in self.runs)


def carry_out(
    batch: Batch, seats: Sequence[Seat], context: Context, ways: Sequence[bool], output: Path | None = None
) -> list[Report]:
    """Carries a batch out once for each of `ways`, whether runs may move; ends with one that was called off."""
    given = {entry.name: entry.seconds for entry in batch.entries}
    estimates = Estimates(given, {seat.name: seat.isa for seat in seats})
    reports: list[Report] = []
    for migrate in ways:
        reports.append(Runner(batch, seats, context, estimates, migrate=migrate, output=output).run())
        if reports[-1].interrupted:
            break
    return reports


class Runner:
    """`migrate`: whether runs may move. `output`: a directory for what they print; `estimates` are learned from and added to."""

    def __init__(
        self,
        batch: Batch,
        seats: Sequence[Seat],
        context: Context,
        estimates: Estimates,
        *,
        migrate: bool,
        output: Path | None = None,
    ) -> None:
        self._batch = batch
        self._seats = list(seats)
        self._events = context.events
        self._cancel = context.cancel
        self._context = replace(context, events=Silent(), cancel=Token())
        self._estimates = estimates
        self._migrate = migrate
        self._output = output
        self._begin = 0.0
        names = (f"{batch.name}-{entry.name}"[:34] for entry in batch.entries for _ in range(entry.repeat))
        entries = (entry for entry in batch.entries for _ in range(entry.repeat))
        self._runs = [
            Run(i, entry, f"{name}-{i}")
            for i, (entry, name) in enumerate(zip(entries, names, strict=True), 1)
        ]
        self._queue = deque(self._runs)

    def run(self) -> Report:
        """Carries it out; raises nothing for what runs fail."""
        self._begin = time.monotonic()
        report = Report(self._migrate, self._seats, self._runs)
        with (
            self._cancel.deferred(),
            ThreadPoolExecutor(AT_ONCE, thread_name_prefix="transproc-batch") as pool,
        ):
            while any(run.exit is None for run in self._runs):
                try:
                    self._cancel.check()
                except KeyboardInterrupt:
                    report.interrupted = True
                    break
                self._round(pool)
                time.sleep(POLL)
        for run in self._runs:
            self._settle(run)
        report.seconds = self._now()
        return report

    def _round(self, pool: ThreadPoolExecutor) -> None:
        for run in self._runs:
            self._settle(run)
            if run.node and run.exit is None and run.under_way is None:
                self._look(run)
        free = self._free()
        while self._queue and (node := self._place(self._queue[0], free)):
            run = self._queue.popleft()
            free[node] -= 1
            run.target, run.tries = node, run.tries + 1
            run.under_way = pool.submit(self._start, run, node)
        if self._migrate and not self._queue:
            for move in decide.moves(self._running(), free, self._seats, self._estimates, self._batch.goal):
                run = self._runs[move.number - 1]
                run.target = move.target
                run.under_way = pool.submit(self._move, run, move.target)

    def _place(self, run: Run, free: Counter[str]) -> str | None:
        return decide.place(run.entry.name, free, self._seats, self._estimates, self._batch.goal)

    def _free(self) -> Counter[str]:
        free = Counter({seat.name: seat.slots for seat in self._seats})
        for run in self._runs:
            for node in {run.node, run.target} - {None}:
                free[str(node)] -= 1
        return free

    def _running(self) -> list[Running]:
        return [
            Running(run.number, run.entry.name, run.node, run.progress)
            for run in self._runs
            if run.node and run.exit is None and run.under_way is None
        ]

    # --- in threads of their own -----------------------------------------------------------------------------------

    def _start(self, run: Run, node: str) -> str:
        begin = self._now()
        operations.run(self._context, run.entry.program, node, name=run.job)
        run.looked = self._now()
        self._estimates.starts.append(run.looked - begin)
        run.stays.append(Stay(node, run.looked))
        return f"{run.job} starts on {node}"

    def _move(self, run: Run, node: str) -> str:
        begin = self._now()
        hop = operations.migrate(self._context, run.job, node)
        now = self._now()
        self._estimates.moves.append(now - begin)
        run.stays[-1].end = now
        run.stays.append(Stay(node, now))
        run.looked, run.moves = now, run.moves + 1
        return f"{run.job} moves from {hop.source} to {node}, downtime {hop.downtime:.2f} s"

    # --- what became of them ---------------------------------------------------------------------------------------

    def _settle(self, run: Run) -> None:
        """A start or a move has come to its end."""
        if run.under_way is None or not run.under_way.done():
            return
        future, run.under_way, run.target = run.under_way, None, None
        error = future.exception()
        if error is None:
            self._note(future.result())
        elif isinstance(error, MigrationError):
            self._note(f"{run.job}: {error.message}")
            job = self._context.store.load(run.job)
            if run.node and job.node != run.node:  # it has moved all the same
                run.stays[-1].end = self._now()
                run.stays.append(Stay(job.node, self._now()))
        elif not isinstance(error, TransprocError | OSError):
            raise error
        elif run.node is None and isinstance(error, NodeError) and run.tries < TRIES:
            self._note(f"{run.job}: {error.message}; it is tried again")
            self._queue.append(run)
        elif run.node is None or isinstance(error, UnsupportedError):
            self._note(f"{run.job}: {error}")
            run.exit = run.exit or (str(error) if run.node is None else None)

    def _look(self, run: Run) -> None:
        now = self._now()
        if seconds := self._estimates.of(run.entry.name, str(run.node)):
            run.progress = min(0.99, run.progress + (now - run.looked) / seconds)
        run.looked = now
        try:
            job = self._context.store.load(run.job)
            place = self._context.places(job)
            job = refresh(self._context.store, job, place)
            if job.state is State.EXITED:
                self._ended(run, job)
        except NodeError:
            return  # it is asked again
        except TransprocError as error:  # its record was removed: somebody else has taken it
            run.stays[-1].end, run.exit = now, error.message

    def _ended(self, run: Run, job: Job) -> None:
        data = self._context.places(job).read("stdout")
        run.digest = hashlib.sha256(data).hexdigest()
        run.stays[-1].end, run.exit = self._now(), job.exit or "lost"
        if len(run.stays) == 1 and run.exit == GOOD:
            self._estimates.saw(run.entry.name, run.stays[0].node, run.seconds)
        self._note(f"{run.job} has ended on {job.node} ({run.exit})")
        if self._output is not None:
            (self._output / f"{run.job}.out").write_bytes(data)
            (self._output / f"{run.job}.err").write_bytes(self._context.places(job).read("stderr"))
            if run.exit == GOOD:
                operations.discard(self._context, run.job)

    def _note(self, text: str) -> None:
        self._events.note(f"{self._now():7.1f} s  {text}")

    def _now(self) -> float:
        return time.monotonic() - self._begin

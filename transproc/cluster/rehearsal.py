# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rehearsal: a program runs once unmigrated and once with migrations, and both runs must be equal, byte for byte.

Compared are standard output, standard error, the exit status, and all files of the working directory. A rehearsal in which a
migration came too late, because the program had ended, proves nothing: it is repeated with shorter intervals, and fails if that
does not help.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from transproc.cluster.job import Hop, Job, State
from transproc.cluster.migration import Migration
from transproc.cluster.operations import Context, discard
from transproc.cluster.outcome import Outcome, outcome_of
from transproc.cluster.place import RECORD_SECONDS, PauseRequest, Place
from transproc.cluster.start import Program, address_of, start
from transproc.cluster.watch import refresh, wait
from transproc.errors import MigrationError, PauseError

ATTEMPTS = 5


@dataclass
class Verdict:
    """The result of a rehearsal."""

    program: list[str]
    seed: int
    hops: list[Hop] = field(default_factory=list)
    missed: int = 0
    attempts: int = 0
    plain_seconds: float = 0.0
    plain_exit: str = ""
    moved_seconds: float = 0.0
    differences: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Every migration happened, and nothing differs."""
        return not self.missed and not self.differences

    @property
    def late(self) -> str:
        """Why migrations did not happen, for people; empty if all did."""
        if not self.missed:
            return ""
        why = (
            f"without any the program ends with {self.plain_exit}"
            if self.plain_exit.startswith("signal")
            else "the program is too short"
        )
        return f"{self.missed} migrations came too late, in {self.attempts} attempts: {why}"


@dataclass(frozen=True)
class Plan:
    """When to migrate: `every` milliseconds on average, or at sites, else at random moments.

    Sites are counted from one migration to the next: `at` says how many, or `within` how many at most, half of the
    distances being below its square root. With `after`, the name of a function, all begins when the program first enters that.
    """

    hops: int = 2
    every: float | None = None
    at: Sequence[int] = ()
    within: int | None = None
    seed: int = 1
    after: str | None = None
    varying: str = ""
    """Pattern of what may be printed differently."""
    ignore: str = ""
    """Pattern of the names of files that may differ."""

    @property
    def counts_sites(self) -> bool:
        """Whether sites are counted, rather than milliseconds."""
        return bool(self.at) or self.within is not None

    def counts(self, scale: float) -> list[int]:
        """Sites between migrations; random numbers are drawn by their logarithm, and are lower for smaller scales."""
        if self.within is None:
            return list(self.at)
        chance = random.Random(self.seed)
        most = max(1.0, self.within * scale)
        return [round(most ** chance.random()) for _ in range(self.hops)]

    def waits(self, seconds: float) -> list[float]:
        """How long the program runs before each migration, given how long it runs in all."""
        chance = random.Random(self.seed)
        if self.every is not None:
            return [self.every / 1000 * chance.uniform(0.5, 1.5) for _ in range(self.hops)]
        moments = sorted(chance.uniform(0, seconds * 0.7) for _ in range(self.hops))
        return [b - a for a, b in zip([0.0, *moments], moments, strict=False)]


class Rehearsal:
    """One program between two nodes."""

    def __init__(
        self,
        context: Context,
        program: Program,
        nodes: Sequence[str],
        *,
        plan: Plan,
        timeout: float = 600.0,
    ) -> None:
        self.context, self.program, self.nodes, self.plan = context, program, list(nodes), plan
        self.store = context.store
        self.timeout = timeout
        self.plain: Outcome | None = None
        self.moved: Outcome | None = None
        """What the run without and the one with migrations left behind."""
        # Two that start together see the same names as free, and may share a node without sharing a store.
        self._name = self.store.free_name(f"rehearse-{program.name}"[:25] + f"-{secrets.token_hex(3)}")

    def run(self) -> Verdict:
        """Both runs. Raises what a migration raises; otherwise the verdict says what was found."""
        verdict = Verdict(list(self.program.argv), self.plan.seed)
        try:
            with self.context.events.step("run unmigrated") as step:
                plain = self._plain()
                step.detail = plain.exit
            verdict.plain_seconds, verdict.plain_exit = plain.seconds, plain.exit
            for attempt in range(1 if self.plan.at else ATTEMPTS):
                verdict.attempts = attempt + 1
                with self.context.events.step(f"run with {self._hops} migrations") as step:
                    moved = self._moved(verdict, plain.seconds, 2.0**-attempt)
                    step.detail = f"{verdict.missed} came too late" if verdict.missed else moved.exit
                if not verdict.missed:
                    break
        finally:
            discard(self.context, self._name)
        self.plain, self.moved = plain, moved
        verdict.moved_seconds = moved.seconds
        verdict.differences = self._comparable(plain).difference(self._comparable(moved))
        return verdict

    def _comparable(self, outcome: Outcome) -> Outcome:
        return outcome.without(self.plan.varying, self.plan.ignore)

    @property
    def _hops(self) -> int:
        return len(self.plan.at) or self.plan.hops

    def _plain(self) -> Outcome:
        job = self._new_job()
        place = self.context.places(job, job.node)
        begin = time.perf_counter()
        start(self.store, place, self.program, cancel=self.context.cancel)
        return self._finish(begin)

    def _moved(self, verdict: Verdict, seconds: float, scale: float) -> Outcome:
        """The program is stopped at its beginning, so that no time of its run is lost before the first wait."""
        verdict.hops, verdict.missed = [], 0
        job = self._new_job()
        place = self.context.places(job, job.node)
        begin = time.perf_counter()
        counts = self.plan.counts(scale) if self.plan.counts_sites else []
        try:
            pause = self._first_stop(counts)
            start(self.store, place, self.program, pause=pause, cancel=self.context.cancel)
        except PauseError as error:
            return self._ended_before(verdict, place, begin, error)
        if counts:
            self._hop_at_sites(verdict, counts)
        else:
            self._hop_in_time(verdict, [wait * scale for wait in self.plan.waits(seconds)])
        return self._finish(begin)

    def _first_stop(self, counts: Sequence[int]) -> PauseRequest:
        if self.plan.after is not None:
            binary = self.program.pair()["x86_64"].path  # addresses are equal in both
            return PauseRequest(at=address_of(binary, self.plan.after), timeout=self.timeout)
        return PauseRequest(count=counts[0], timeout=self.timeout) if counts else PauseRequest()

    def _ended_before(self, verdict: Verdict, place: Place, begin: float, error: PauseError) -> Outcome:
        """The program has fewer sites than the first migration was to wait for; else raises the error."""
        verdict.missed = self._hops
        place.job.exit = _status_after(place, error)
        outcome = outcome_of(place, place.job, time.perf_counter() - begin)
        place.remove()
        return outcome

    def _hop_in_time(self, verdict: Verdict, waits: list[float]) -> None:
        """The program is stopped before a migration's preparations: these would take longer than many a program runs."""
        for number, seconds in enumerate(waits):
            if not self._run_for(seconds) or not self._hop(verdict, PauseRequest()):
                verdict.missed = len(waits) - number
                return
        self._go_on()

    def _hop_at_sites(self, verdict: Verdict, counts: list[int]) -> None:
        """Between migrations the program never runs untraced: so the counts are exact."""
        for number, count in enumerate(counts):
            stands_there = number == 0 and self.plan.after is None
            request = PauseRequest(count=None if stands_there else count, timeout=self.timeout)
            if not self._hop(verdict, request):
                verdict.missed = len(counts) - number
                return
        self._go_on()

    def _hop(self, verdict: Verdict, request: PauseRequest) -> bool:
        """Migrates to the other node; False if the program ended before."""
        job = self.store.load(self._name)
        source = self.context.places(job, job.node)
        if refresh(self.store, job, source).state is State.EXITED:
            return False
        target = self.context.places(job, next(name for name in self.nodes if name != job.node))
        migration = Migration(
            self.store,
            job,
            source,
            target,
            transform=self.context.transform,
            request=request,
            stay_paused=True,
            events=self.context.events,
            cancel=self.context.cancel,
        )
        try:
            verdict.hops.append(migration.run())
        except MigrationError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise
            if refresh(self.store, job, source).state is State.EXITED:
                return False
            raise
        return True

    def _run_for(self, seconds: float) -> bool:
        """Lets the paused program go on, and pauses it again; False if it ended before."""
        job = self.store.load(self._name)
        place = self.context.places(job, job.node)
        self._note(job, State.RUNNING)
        try:
            place.pause(job.pid, PauseRequest(timeout=self.timeout, run=seconds))
        except PauseError as error:
            _status_after(place, error)
            return False
        self._note(job, State.PAUSED)
        return True

    def _go_on(self) -> None:
        job = self.store.load(self._name)
        self.context.places(job, job.node).resume(job.pid)
        self._note(job, State.RUNNING)

    def _note(self, job: Job, state: State) -> None:
        job.state = state
        self.store.save(job)

    def _finish(self, begin: float) -> Outcome:
        job = wait(self.store, self._name, self.context.places, self.timeout)
        seconds = time.perf_counter() - begin
        place = self.context.places(job, job.node)
        outcome = outcome_of(place, job, seconds)
        place.remove()
        return outcome

    def _new_job(self) -> Job:
        return Job(self._name, self.nodes[0], [self.program.name, *self.program.argv[1:]])


def _status_after(place: Place, error: PauseError) -> str:
    """The status of a program that could not be paused because it had ended; else raises the error."""
    status = place.exit_status(RECORD_SECONDS if error.ended else 0.0)
    if status is None:
        raise error
    return status

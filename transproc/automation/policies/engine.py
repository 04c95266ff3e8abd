# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rules carried out: nodes and jobs are looked at, the rules evaluated, and jobs moved. A round is one such turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from transproc.automation.policies.evaluate import (
    LONG,
    Attempt,
    Decision,
    Fits,
    JobState,
    Move,
    Situation,
    evaluate,
    held_back,
)
from transproc.automation.policies.rules import HOUR, Policy
from transproc.automation.policies.view import Spot
from transproc.binary import processor
from transproc.binary.elf import Elf
from transproc.cluster import operations, transfer, usage
from transproc.cluster.beside import beside
from transproc.cluster.events import Events, Silent, Token
from transproc.cluster.facts import too_high
from transproc.cluster.fleet import NodeState
from transproc.cluster.history import Reader
from transproc.cluster.job import Job, State
from transproc.cluster.phase import KIND
from transproc.cluster.store import Result
from transproc.errors import TransprocError
from transproc.host import Host

LOOK_SECONDS = 5.0
"""How long nodes have to answer in a round."""
LOST = HOUR
"""A migration that has no end after so long was cut off; `transproc recover` settles it."""


@dataclass
class Report:
    """What a round has decided, and what became of each move: None, or why it failed."""

    decision: Decision
    results: list[tuple[Move, str | None]] = field(default_factory=list)


@dataclass
class _Sample:
    """Processor time that a job had used at a moment."""

    job: str
    node: str
    at: float
    seconds: float


class Policies:
    """A policy for the jobs of a host. One thread at a time calls it; it remembers what jobs used from round to round.

    `act`: what moves a job to a node, by default `operations.migrate`; raises `TransprocError` if that fails.
    """

    def __init__(
        self,
        host: Host,
        policy: Policy,
        *,
        events: Events | None = None,
        act: Callable[[str, str], object] | None = None,
    ) -> None:
        self.policy = policy
        self._host = host
        self._events = events or Silent()
        self._act = act
        self._tokens: list[Token] = []
        self._samples: dict[str, _Sample] = {}
        self._needs: dict[tuple[str, str], frozenset[str] | None] = {}

    def decide(self) -> Decision:
        """What the rules would do now. Nodes are looked at, nothing is changed. Raises `StoreError`."""
        return evaluate(self.policy, *self.look())

    def explain(self) -> Decision:
        """As `decide`, with a note for each job that only its cool-down holds, and for each set of labels that no node has: that
        is in order, or misspelt.
        """
        situation, fits = self.look()
        found = evaluate(self.policy, situation, fits)
        found.notes += held_back(self.policy, situation, fits)
        for number, rule in enumerate(self.policy.rules, 1):
            for labels in rule.sets:
                if not any(state.labels >= labels for state in situation.fleet):
                    meant = (
                        f"the label {min(labels)}"
                        if len(labels) == 1
                        else f"the labels {', '.join(sorted(labels))}"
                    )
                    found.notes.append(f"rule {number} ({rule.title}): no node has {meant}")
        return found

    def look(self) -> tuple[Situation, Fits]:
        """All that a decision depends on, as it is now."""
        reader = self._host.reader
        fleet = self._host.fleet(deadline=LOOK_SECONDS)
        now = time.time()
        running = [listed.job for listed in reader.jobs() if listed.job and listed.job.state is State.RUNNING]
        jobs = {job.name: job for job in running}
        loads = self._loads(reader, fleet, jobs)
        busy = {one.job: f"'{one.kind}' is at work on it" for one in reader.under_way()}
        states = [JobState(job.name, job.node, loads.get(job.name), busy.get(job.name)) for job in running]
        return Situation(fleet, states, self._past(reader, now), now), partial(self._unfit, jobs)

    def round(self, *, dry_run: bool = False) -> Report:
        """Looks, decides, and moves what is to be moved, at the same time; returns when all of that has ended.

        Interrupted (KeyboardInterrupt, or `cancel` of another thread), moves are taken back at the end of their step.
        """
        report = Report(self.decide())
        if dry_run or not report.decision.moves:
            return report
        self._tokens = [Token() for _ in report.decision.moves]
        with ThreadPoolExecutor(len(self._tokens), thread_name_prefix="transproc-policy") as pool:
            work = [
                pool.submit(self._move, move, token)
                for move, token in zip(report.decision.moves, self._tokens, strict=True)
            ]
            try:
                results = [one.result() for one in work]
            except BaseException:
                self.cancel()
                raise
        report.results = list(zip(report.decision.moves, results, strict=True))
        return report

    def cancel(self) -> None:
        """Calls off the moves of the round under way."""
        for token in self._tokens:
            token.cancel()

    def _move(self, move: Move, token: Token) -> str | None:
        """Why it failed."""
        try:
            if self._act is not None:
                self._act(move.job, move.target)
            else:
                operations.migrate(self._host.context(self._events, token), move.job, move.target)
        except TransprocError as error:
            return error.message
        except KeyboardInterrupt:
            return "called off"
        return None

    def _past(self, reader: Reader, now: float) -> list[Attempt]:
        limits = self.policy.limits
        window = max(HOUR, LONG * limits.cool_down) + LOST
        attempts = []
        for one in reader.since(KIND, now - window):
            lost = one.ended is None and now - one.started > LOST
            ended = one.started if lost else one.ended
            done = one.result == Result.DONE
            attempts.append(Attempt(one.job, one.source, one.target or "", one.started, ended, done))
        return attempts

    def _loads(self, reader: Reader, fleet: Collection[NodeState], jobs: dict[str, Job]) -> dict[str, float]:
        """How many processors each job keeps busy: since the last round, or since it came to its node."""
        with_jobs = {job.node for job in jobs.values()}
        asked = [state.name for state in fleet if state.name in with_jobs and state.busy is not None]
        questions = {name: partial(self._used, name) for name in asked}
        samples: dict[str, _Sample] = {}
        loads: dict[str, float] = {}
        for name, answer in beside(questions, LOOK_SECONDS).items():
            if isinstance(answer, TransprocError):
                continue
            at, seconds = answer
            for job in seconds.keys() & jobs.keys():
                if jobs[job].node == name:
                    samples[job] = _Sample(jobs[job].id, name, at, seconds[job])
        new = [name for name, sample in samples.items() if not self._seen(name, sample)]
        arrived: dict[str, float] = {}
        for start in range(0, len(new), 500):
            arrived |= reader.arrivals(new[start : start + 500])
        for name, sample in samples.items():
            if self._seen(name, sample):
                before = self._samples[name]
                used, span = sample.seconds - before.seconds, sample.at - before.at
            else:
                used, span = sample.seconds, time.time() - arrived.get(name, jobs[name].started)
            loads[name] = max(0.0, used) / max(span, 1.0)
        self._samples = samples
        return loads

    def _seen(self, name: str, sample: _Sample) -> bool:
        """It was looked at before, as the same processes."""
        before = self._samples.get(name)
        return before is not None and (before.job, before.node) == (sample.job, sample.node)

    def _used(self, name: str) -> tuple[float, dict[str, float]]:
        node = self._host.node(name)
        return time.monotonic(), usage.ask(node, timeout=LOOK_SECONDS)

    def _unfit(self, jobs: dict[str, Job], name: str, spot: Spot) -> str | None:
        """Why a job's program cannot run on a node."""
        needs = self._needed(jobs[name], spot.isa)
        if needs is None:
            return f"is of ISA {spot.isa}, for which the job has no binary"
        if reason := too_high(jobs[name].pid, spot.ids):
            return reason
        missing = needs - spot.abilities
        return (
            f"has a processor that lacks {', '.join(sorted(missing))}" if spot.abilities and missing else None
        )

    def _needed(self, job: Job, isa: str) -> frozenset[str] | None:
        """What the binary for an ISA needs of the processor; None if there is none."""
        key = (job.id, isa)
        if key not in self._needs:
            try:
                self._needs[key] = processor.needed(Elf(transfer.binary(self._host.store, job, isa)))
            except TransprocError:
                self._needs[key] = None
        return self._needs[key]

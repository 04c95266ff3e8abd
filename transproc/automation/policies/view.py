# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nodes and jobs at one moment, as rules see them; what a round has decided already has happened in it."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from transproc.cluster.facts import Facts
from transproc.cluster.fleet import NodeState


@dataclass(frozen=True)
class JobState:
    """A job that runs on `node`. `load`: how many processors it keeps busy, None if nobody has measured that. `bound`: why it
    cannot be moved now, such as that a command works on it.
    """

    name: str
    node: str
    load: float | None = None
    bound: str | None = None


@dataclass
class Spot:
    """A node in a round. `load` changes as the round moves jobs; `settled`: it tells of all jobs that came and went; `room`: for
    so many more jobs; `ids`: those of processes are below that; `problem`: why nothing can be done with it.
    """

    name: str
    labels: frozenset[str]
    isa: str
    cpus: int
    load: float
    price: float
    room: float
    abilities: frozenset[str]
    ids: int
    problem: str | None = None
    settled: bool = True
    jobs: dict[str, float] = field(default_factory=dict)
    """Those of rules, with the load of each."""

    @property
    def busy(self) -> float:
        """Load for each processor."""
        return self.load / self.cpus

    def has(self, labels: Collection[str]) -> bool:
        """All of these."""
        return self.labels.issuperset(labels)


class View:
    """`fleet`: all nodes; `jobs`: those that run; `unsettled`: nodes whose load is not yet what it will be."""

    def __init__(
        self, fleet: Iterable[NodeState], jobs: Iterable[JobState], unsettled: Collection[str] = ()
    ) -> None:
        self.spots: dict[str, Spot] = {state.name: _spot(state, unsettled) for state in fleet}
        self.jobs: dict[str, JobState] = {}
        self.where: dict[str, Spot] = {}
        for job in jobs:
            spot = self.spots.get(job.node)
            if spot is not None:  # one on a node that nobody knows any more is nobody's to move
                self.jobs[job.name], self.where[job.name] = job, spot
                spot.jobs[job.name] = job.load if job.load is not None else -1.0
        for spot in self.spots.values():
            _share(spot)
        self.stuck: set[str] = {job.name for job in self.jobs.values() if job.bound is not None}
        """Jobs that stay in this round, whatever is wished."""
        self._names = sorted(self.jobs)
        self._usable: dict[frozenset[str], list[Spot]] = {}
        self._counts: dict[tuple[str, ...], Counter[str]] = {}
        self._least: dict[frozenset[str], float] = {}

    def weight(self, job: str) -> float:
        """The load that goes along with a job."""
        return self.where[job].jobs[job]

    def usable(self, labels: frozenset[str] = frozenset()) -> list[Spot]:
        """Nodes with all these labels that answer and have criu."""
        if labels not in self._usable:
            self._usable[labels] = [
                spot for spot in self.spots.values() if spot.problem is None and spot.has(labels)
            ]
        return self._usable[labels]

    def least(self, labels: frozenset[str]) -> float:
        """Of usable nodes, how busy the idlest is."""
        if labels not in self._least:
            self._least[labels] = min((spot.busy for spot in self.usable(labels)), default=0.0)
        return self._least[labels]

    def matching(self, patterns: tuple[str, ...]) -> Iterator[str]:
        """Jobs of these names, by name."""
        find = matcher(patterns)
        return (name for name in self._names if find.match(name))

    def counts(self, patterns: tuple[str, ...]) -> Counter[str]:
        """How many jobs of these names each node has."""
        if patterns not in self._counts:
            self._counts[patterns] = Counter(self.where[job].name for job in self.matching(patterns))
        return self._counts[patterns]

    def move(self, job: str, target: Spot) -> None:
        """As if it had moved; it stays then."""
        source = self.where[job]
        weight = source.jobs.pop(job)
        source.load, target.load = max(0.0, source.load - weight), target.load + weight
        source.room, target.room = source.room + 1, target.room - 1
        target.jobs[job], self.where[job] = weight, target
        self.stuck.add(job)
        self._least.clear()
        for patterns, counts in self._counts.items():
            if matcher(patterns).match(job):
                counts[source.name] -= 1
                counts[target.name] += 1


@cache
def matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for several patterns of a shell."""
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))


def _spot(state: NodeState, unsettled: Collection[str]) -> Spot:
    facts, described = state.facts, state.description
    room = float("inf") if described.capacity is None else described.capacity - state.jobs
    words = (described.price or 0.0, room)
    if isinstance(facts, Facts):
        problem = None if facts.criu else "has no criu"
        load, settled = max(facts.load, 0.0), state.name not in unsettled
        able = (facts.abilities, facts.ids)
        return Spot(state.name, state.labels, facts.isa, facts.cpus, load, *words, *able, problem, settled)
    problem = "has not answered" if facts is None else facts.message.removeprefix(f"node {state.name}: ")
    return Spot(state.name, state.labels, "", 1, 0.0, *words, frozenset(), 0, problem)


def _share(spot: Spot) -> None:
    """Gives each job its share of what the node has to do.

    Where more wants to run than there are processors, each gets less than it wants, in the same proportion: what is measured of
    a job is scaled up by that. Jobs of which nothing was measured share evenly what is left.
    """
    wanted = max(1.0, spot.load / spot.cpus)
    spot.jobs = {name: load * wanted for name, load in spot.jobs.items()}
    unknown = [name for name, load in spot.jobs.items() if load < 0]
    rest = max(0.0, spot.load - sum(load for load in spot.jobs.values() if load >= 0))
    spot.jobs |= {name: rest / len(unknown) for name in unknown}
    spot.load = max(spot.load, sum(spot.jobs.values()))


def total(spots: Iterable[Spot]) -> tuple[float, int]:
    """Load and processors together."""
    found = list(spots)
    return sum(spot.load for spot in found), sum(spot.cpus for spot in found)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kinds of rules: what each wishes, and what it forbids the others.

A rule looks at a `View` and wishes that jobs move, with the nodes that would do in its order of preference and the reason; the
view changes between two wishes if one was granted. `allows` says whether a move that another rule wishes agrees with this
one: so rules that would undo each other's work come to rest. Each rule wishes only what brings it nearer to its end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from transproc.automation.policies.view import Spot, View, matcher, total

HOUR = 3600.0
BUSIEST, IDLEST, LARGEST_JOBS = 20, 50, 50
"""So many nodes and jobs at each end are weighed against each other for a move: the rest has its turn when these are even."""


@dataclass(frozen=True)
class Limits:
    """For all rules together. `at_once`: migrations under way; `an_hour`: begun in the last hour; in seconds: `cool_down`, for
    which a job stays after a migration, or an attempt; `settle`, after which a node's load tells of a job that came or went.
    """

    at_once: int = 1
    an_hour: int = 12
    cool_down: float = 600.0
    settle: float = 90.0


@dataclass(frozen=True)
class Wish:
    """A job should go to one of these nodes, best first."""

    job: str
    targets: list[Spot]
    reason: str


@dataclass(frozen=True)
class Rule(ABC):
    """`jobs`: patterns of names; a job that matches none is not concerned. `nodes`: labels; those that have all are meant."""

    jobs: tuple[str, ...] = ("*",)
    nodes: frozenset[str] = frozenset()
    kind: ClassVar[str]
    firm: ClassVar[bool] = False
    """It binds rules before it as well."""
    wary: ClassVar[bool] = False
    """It weighs nodes against each other by what was measured, and does not bring a job back to where that came from lately."""

    @property
    def title(self) -> str:
        """For people."""
        return self.kind + (f" {'+'.join(sorted(self.nodes))}" if self.nodes else "")

    @property
    def sets(self) -> list[frozenset[str]]:
        """The labels by which it means nodes: those that have all of a set."""
        return [self.nodes] if self.nodes else []

    def concerns(self, job: str) -> bool:
        """Its name is one of those meant."""
        return matcher(self.jobs).match(job) is not None

    def _may(self, view: View, job: str, tried: set[str]) -> bool:
        """It is one that this rule may wish for, and has not yet."""
        return job not in tried and job not in view.stuck and self.concerns(job)

    @abstractmethod
    def wishes(self, view: View) -> Iterator[Wish]:
        """What it would have, one after the other; a job once at most."""

    @abstractmethod
    def allows(self, view: View, job: str, target: Spot) -> bool:
        """Whether a job may go there, as far as this rule is concerned."""


@dataclass(frozen=True)
class Evacuate(Rule):
    """No job is to be on these nodes."""

    kind = "evacuate"
    firm = True

    def wishes(self, view: View) -> Iterator[Wish]:
        for job in list(view.matching(self.jobs)):
            spot = view.where[job]
            if spot.has(self.nodes) and job not in view.stuck:
                targets = [other for other in view.usable() if not other.has(self.nodes)]
                yield Wish(job, _idlest(targets), f"{spot.name} is to be empty")

    def allows(self, view: View, job: str, target: Spot) -> bool:
        return not (self.concerns(job) and target.has(self.nodes))


@dataclass(frozen=True)
class Keep(Rule):
    """Jobs are to be on these nodes."""

    kind = "keep"
    firm = True

    def wishes(self, view: View) -> Iterator[Wish]:
        for job in list(view.matching(self.jobs)):
            spot = view.where[job]
            if not spot.has(self.nodes) and job not in view.stuck:
                wanted = " and ".join(sorted(self.nodes))
                yield Wish(
                    job,
                    _idlest(view.usable(self.nodes)),
                    f"{spot.name} has no label {wanted}",
                )

    def allows(self, view: View, job: str, target: Spot) -> bool:
        return not self.concerns(job) or target.has(self.nodes)


@dataclass(frozen=True)
class Balance(Rule):
    """No node is to have so much more to do than another, for each processor, that a job could make up for it."""

    difference: float = 0.5
    kind = "balance"
    wary = True

    def wishes(self, view: View) -> Iterator[Wish]:
        tried: set[str] = set()
        while wish := self._next(view, tried):
            tried.add(wish.job)
            yield wish

    def _next(self, view: View, tried: set[str]) -> Wish | None:
        spots = _idlest([spot for spot in view.usable(self.nodes) if spot.settled])
        for source in reversed(spots[-BUSIEST:]):
            if source.busy - spots[0].busy <= self.difference:
                return None
            largest = sorted(source.jobs, key=lambda job: (-source.jobs[job], job))[:LARGEST_JOBS]
            for job in largest:
                if not self._may(view, job, tried) or not view.weight(job):
                    continue
                if targets := [spot for spot in spots[:IDLEST] if self._gains(view, job, spot)]:
                    loads = f"{source.name} has {source.busy:.2f} to do for each processor"
                    return Wish(job, targets, f"{loads}, {targets[0].name} {targets[0].busy:.2f}")
        return None

    def _gains(self, view: View, job: str, target: Spot) -> bool:
        """The busier one of both has less to do afterwards: the target is not busier then than the source, or much is gained."""
        source, weight = view.where[job], view.weight(job)
        if source.busy - target.busy <= self.difference:
            return False
        left, more = (source.load - weight) / source.cpus, (target.load + weight) / target.cpus
        return more <= left or max(left, more) <= source.busy - self.difference / 2

    def allows(self, view: View, job: str, target: Spot) -> bool:
        source = view.where[job]
        if not (self.concerns(job) and target.has(self.nodes) and source.has(self.nodes)):
            return True
        weight = view.weight(job)
        after, left = (target.load + weight) / target.cpus, (source.load - weight) / source.cpus
        if after > left + self.difference:  # this rule would move another job back to the source
            return False
        return after < source.busy or after <= view.least(self.nodes) + self.difference


@dataclass(frozen=True)
class Price(Rule):
    """Jobs are on cheap nodes as long as these have little to do, and on fast ones when they have much.

    Loads are those for each processor of all cheap nodes together: above `busy` a job goes to a fast one, below `idle` one comes
    back if they then still have less to do than halfway between both.
    """

    cheap: str = ""
    fast: str = ""
    idle: float = 0.3
    busy: float = 0.8
    kind = "price"

    @property
    def title(self) -> str:
        return f"price: {self.cheap} when idle, {self.fast} when busy"

    @property
    def sets(self) -> list[frozenset[str]]:
        """Both sides."""
        return [frozenset([label]) for label in self._labels]

    @property
    def _labels(self) -> tuple[str, str]:
        return self.cheap, self.fast

    def _side(self, spot: Spot) -> str | None:
        return next((label for label in self._labels if label in spot.labels), None)

    def wishes(self, view: View) -> Iterator[Wish]:
        sides = {
            label: [spot for spot in view.usable() if self._side(spot) == label] for label in self._labels
        }
        largest = sorted(self._jobs(view, sides[self.cheap]), key=lambda job: (-view.weight(job), job))
        smallest = sorted(self._jobs(view, sides[self.fast]), key=lambda job: (view.weight(job), job))
        tried: set[str] = set()
        while wish := self._next(view, sides, (largest, smallest), tried):
            tried.add(wish.job)
            yield wish

    def _next(
        self, view: View, sides: dict[str, list[Spot]], order: tuple[list[str], list[str]], tried: set[str]
    ) -> Wish | None:
        cheap, fast = sides[self.cheap], sides[self.fast]
        load, cpus = total(cheap)
        if not cpus or not fast or not all(spot.settled for spot in cheap):
            return None
        if load / cpus > self.busy:
            for job in order[0]:
                source, weight = view.where[job], view.weight(job)
                if not weight or not self._may(view, job, tried):
                    continue
                if better := [spot for spot in fast if (spot.load + weight) / spot.cpus < source.busy]:
                    return Wish(job, _idlest(better), f"{self.cheap} is busy ({load / cpus:.2f})")
        elif load / cpus < self.idle:
            for job in order[1]:
                fits = (load + view.weight(job)) / cpus <= (self.idle + self.busy) / 2
                if fits and self._may(view, job, tried):
                    return Wish(job, _cheapest(cheap), f"{self.cheap} is idle ({load / cpus:.2f})")
        return None

    def _jobs(self, view: View, spots: list[Spot]) -> list[str]:
        return [job for spot in spots for job in spot.jobs if self._may(view, job, set())]

    def allows(self, view: View, job: str, target: Spot) -> bool:
        """Nobody else moves jobs from one side to the other."""
        side = self._side(view.where[job])
        return side is None or not self.concerns(job) or self._side(target) == side


@dataclass(frozen=True)
class Spread(Rule):
    """Each of these nodes is to have as many of the jobs as any other, give or take one."""

    kind = "spread"

    def wishes(self, view: View) -> Iterator[Wish]:
        tried: set[str] = set()
        while wish := self._next(view, tried):
            tried.add(wish.job)
            yield wish

    def _next(self, view: View, tried: set[str]) -> Wish | None:
        have = view.counts(self.jobs)
        spots = sorted(view.usable(self.nodes), key=lambda spot: (have[spot.name], spot.busy, spot.name))
        for source in sorted(view.spots.values(), key=lambda spot: (-have[spot.name], spot.name)):
            targets = [spot for spot in spots if have[source.name] - have[spot.name] >= 2]
            if not targets:
                return None
            for job in sorted(source.jobs):
                if self._may(view, job, tried):
                    counts = f"{source.name} has {have[source.name]} of them, {targets[0].name}"
                    return Wish(job, targets, f"{counts} {have[targets[0].name]}")
        return None

    def allows(self, view: View, job: str, target: Spot) -> bool:
        if not self.concerns(job):
            return True
        have = view.counts(self.jobs)
        return have[target.name] < have[view.where[job].name]


KINDS: dict[str, type[Rule]] = {kind.kind: kind for kind in (Evacuate, Keep, Balance, Price, Spread)}


@dataclass(frozen=True)
class Policy:
    """Rules, of which the earlier ones come first, and limits."""

    rules: tuple[Rule, ...]
    limits: Limits = field(default_factory=Limits)


def _idlest(spots: list[Spot]) -> list[Spot]:
    return sorted(spots, key=_by(lambda spot: spot.busy))


def _cheapest(spots: list[Spot]) -> list[Spot]:
    return sorted(spots, key=_by(lambda spot: spot.price))


def _by(what: Callable[[Spot], float]) -> Callable[[Spot], tuple[float, float, str]]:
    return lambda spot: (what(spot), spot.busy, spot.name)

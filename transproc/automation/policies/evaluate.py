# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What rules would do now: a function of the state of nodes and jobs, of the past, and of the time. Nothing is asked or moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from transproc.automation.policies.rules import HOUR, Policy, Rule, Wish
from transproc.automation.policies.view import JobState, Spot, View
from transproc.cluster.duration import spoken
from transproc.cluster.fleet import NodeState

__all__ = ["Attempt", "Decision", "JobState", "Move", "Situation", "evaluate"]

WISHES = 200
"""Of a rule in a round that come to nothing, before the rest waits for the next round."""
WIDE = 1 << 20
"""More moves than there are."""
LONG = 6
"""So many cool-downs a job does not go back to where it came from, by a rule that weighs nodes against each other."""


@dataclass(frozen=True)
class Attempt:
    """A migration that was begun, by whomever. `ended` is None while it is under way; `done`: the job moved."""

    job: str
    source: str
    target: str
    started: float
    ended: float | None
    done: bool


@dataclass(frozen=True)
class Situation:
    """All that a decision depends on. `past`: the migrations of the last hour at least, and of `LONG` cool-downs."""

    fleet: Sequence[NodeState]
    jobs: Sequence[JobState]
    past: Sequence[Attempt]
    now: float


@dataclass(frozen=True)
class Move:
    """What should be done, by which rule (its number, from 1), and why."""

    job: str
    source: str
    target: str
    rule: int
    reason: str


@dataclass
class Decision:
    """Moves for now; `notes` say what is wished and cannot be, or must wait."""

    moves: list[Move] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Fits = Callable[[str, Spot], str | None]
"""Why a job cannot run on a node, None if it can: what is known of its program."""


def evaluate(policy: Policy, situation: Situation, fits: Fits) -> Decision:
    """The moves that the rules would make at this moment, within the limits."""
    return _Round(policy, situation, fits).decide()


def held_back(policy: Policy, situation: Situation, fits: Fits) -> list[str]:
    """Which jobs would move, were it not for the cool-down, and how long they stay."""
    until: dict[str, float] = {}
    for one in situation.past:
        if one.ended is not None:
            until[one.job] = max(until.get(one.job, 0.0), one.ended + policy.limits.cool_down)
    cooling = {job for job, end in until.items() if end > situation.now}
    free = replace(situation, past=[one for one in situation.past if one.job not in cooling])
    wide = replace(policy, limits=replace(policy.limits, at_once=WIDE, an_hour=WIDE))
    return [
        f"rule {move.rule} ({policy.rules[move.rule - 1].title}): {move.job} stays on {move.source} for another"
        f" {spoken(round(until[move.job] - situation.now) or 1)} after its migration (cool_down), then it should go to"
        f" {move.target} ({move.reason})"
        for move in evaluate(wide, free, fits).moves
        if move.job in cooling
    ]


class _Round:
    def __init__(self, policy: Policy, situation: Situation, fits: Fits) -> None:
        self.policy, self.fits, self.decision = policy, fits, Decision()
        limits = policy.limits
        self.left: set[tuple[str, str]] = set()
        self.failed: set[tuple[str, str]] = set()
        cooling: set[str] = set()
        unsettled: set[str] = set()
        begun = under_way = 0
        for one in situation.past:
            age = situation.now - one.started
            begun += age < HOUR
            under_way += one.ended is None
            if one.ended is None or situation.now - one.ended < limits.cool_down:
                cooling.add(one.job)
            if one.ended is None or situation.now - one.ended < limits.settle:
                unsettled |= {one.source, one.target}
            if one.done and age < LONG * limits.cool_down:
                self.left.add((one.job, one.source))
            if not one.done and one.ended is not None and age < HOUR:
                self.failed.add((one.job, one.target))
        self.view = View(situation.fleet, situation.jobs, unsettled)
        self.view.stuck |= cooling
        rooms = {"at once": limits.at_once - under_way, "an hour": limits.an_hour - begun}
        self.narrow = min(rooms, key=lambda name: rooms[name])
        self.budget = max(0, rooms[self.narrow])

    def decide(self) -> Decision:
        for number, rule in enumerate(self.policy.rules, 1):
            refused = 0
            for wish in rule.wishes(self.view):
                if self.budget == 0:
                    self._note(number, rule, f"{wish.job} waits: {self._limit()} ({wish.reason})")
                    break
                target = self._target(number, rule, wish)
                if target is not None:
                    self._grant(number, wish, target)
                    continue
                refused += 1
                if refused == WISHES:
                    self._note(number, rule, "more jobs than this round looks at")
                    break
        return self.decision

    def _target(self, number: int, rule: Rule, wish: Wish) -> Spot | None:
        """The first node that will do."""
        source, why = self.view.where[wish.job], "there is no other node"
        if source.problem is not None:
            self._note(number, rule, f"{wish.job} cannot be moved: {source.name} {source.problem}")
            return None
        for target in wish.targets:
            if target is source:
                continue
            if (reason := self._refused(number, rule, wish.job, target)) is None:
                return target
            why = f"{target.name} {reason}"
        self._note(number, rule, f"{wish.job} should move ({wish.reason}), but {why}")
        return None

    def _refused(self, number: int, rule: Rule, job: str, target: Spot) -> str | None:
        if target.room < 1:
            return "is full"
        if (job, target.name) in self.failed:
            return "has refused it within the last hour"
        if rule.wary and (job, target.name) in self.left:
            return "is where it came from lately"
        for other_number, other in enumerate(self.policy.rules, 1):
            binding = other.firm or other_number < number
            if other is not rule and binding and not other.allows(self.view, job, target):
                return f"is excluded by rule {other_number} ({other.title})"
        return self.fits(job, target)

    def _grant(self, number: int, wish: Wish, target: Spot) -> None:
        source = self.view.where[wish.job].name
        self.decision.moves.append(Move(wish.job, source, target.name, number, wish.reason))
        self.view.move(wish.job, target)
        self.budget -= 1

    def _limit(self) -> str:
        limits = self.policy.limits
        count = limits.at_once if self.narrow == "at once" else limits.an_hour
        return f"at most {count} migration{'s' if count != 1 else ''} {self.narrow}"

    def _note(self, number: int, rule: Rule, text: str) -> None:
        self.decision.notes.append(f"rule {number} ({rule.title}): {text}")

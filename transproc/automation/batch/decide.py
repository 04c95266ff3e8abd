# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where the runs of a batch go, and which of them are to move: pure functions of what is known at one moment.

What a run takes on a node is known from the batch's file, or from runs that have ended there; or from how other programs compare
there and elsewhere; and nodes of one ISA count as equally fast as long as nothing else is known. A run pays for its slot: its
share of the price of its node. Without an estimate nothing moves: it would be a guess.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transproc.automation.batch.model import Goal

LEAST_GAIN = 0.1
"""Of what remains of a run: less is not worth a move."""
MOVE_SECONDS = 2.0
"""What a move takes, as long as nothing was seen."""
MOVE_TO_START = 5.0
"""What a move takes, to a start: the same is sent, and both nodes are asked a dozen times more. Seen were 4 to 6, between native
nodes and between emulated ones. It counts as long as no move was seen."""


@dataclass(frozen=True)
class Seat:
    """A node of a batch: `price` of an hour of the whole node."""

    name: str
    slots: int
    price: float
    isa: str = ""

    @property
    def rate(self) -> float:
        """What a slot costs in a second."""
        return self.price / self.slots / 3600


@dataclass(frozen=True)
class Running:
    """A run that is under way: `progress` from 0 to 1."""

    number: int
    entry: str
    node: str
    progress: float


@dataclass(frozen=True)
class Proposal:
    """A move that is worth it: `gain` in seconds, or in money."""

    number: int
    target: str
    gain: float


class Estimates:
    """How long runs of each program take on each node, in seconds."""

    def __init__(
        self, given: Mapping[str, Mapping[str, float]], isas: Mapping[str, str] | None = None
    ) -> None:
        self._isas = isas or {}
        self._given = {entry: dict(nodes) for entry, nodes in given.items()}
        self._seen: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.starts: list[float] = []
        self.moves: list[float] = []

    def saw(self, entry: str, node: str, seconds: float) -> None:
        """A run that was on one node from its beginning to its end."""
        self._seen[entry, node].append(seconds)

    def of(self, entry: str, node: str) -> float | None:
        """None if nothing is known: neither of this program there, nor of another one there and of this one elsewhere."""
        if seen := self._seen.get((entry, node)):
            return statistics.median(seen)
        if (given := self._given.get(entry, {}).get(node)) is not None:
            return given
        return self._by_others(entry, node) or self._by_isa(entry, node)

    def _by_others(self, entry: str, node: str) -> float | None:
        """From how other programs compare on this node and on one where this program is known."""
        ratios = []
        for other in {name for name, _ in self._seen} | self._given.keys():
            for place in self._places(entry):
                here, there = self._known(other, node), self._known(other, place)
                mine = self._known(entry, place)
                if other != entry and here and there and mine:
                    ratios.append(mine * here / there)
        return statistics.median(ratios) if ratios else None

    def _by_isa(self, entry: str, node: str) -> float | None:
        places = [place for place in self._places(entry) if self._isas.get(place) == self._isas.get(node, "")]
        found = [seconds for place in places if (seconds := self._known(entry, place))]
        return statistics.median(found) if found else None

    def _places(self, entry: str) -> set[str]:
        return {node for name, node in self._seen if name == entry} | self._given.get(entry, {}).keys()

    def _known(self, entry: str, node: str) -> float | None:
        seen = self._seen.get((entry, node))
        return statistics.median(seen) if seen else self._given.get(entry, {}).get(node)

    @property
    def move(self) -> float:
        """Seconds that a move takes."""
        if self.moves:
            return statistics.median(self.moves)
        return MOVE_TO_START * statistics.median(self.starts) if self.starts else MOVE_SECONDS


def place(
    entry: str, free: Mapping[str, int], seats: Sequence[Seat], estimates: Estimates, goal: Goal
) -> str | None:
    """The node for a run that waits; None if no slot is free."""
    open_seats = [seat for seat in seats if free.get(seat.name, 0) > 0]

    def badness(seat: Seat) -> tuple[float, float, str]:
        seconds = estimates.of(entry, seat.name)
        room = -free[seat.name] / seat.slots
        if goal is Goal.COST:
            return seat.rate * (1.0 if seconds is None else seconds), room, seat.name
        return 0.0 if seconds is None else seconds, room, seat.name

    return min(open_seats, key=badness).name if open_seats else None


def moves(
    running: Sequence[Running],
    free: Mapping[str, int],
    seats: Sequence[Seat],
    estimates: Estimates,
    goal: Goal,
) -> list[Proposal]:
    """The moves that are worth it now, best first; each run moves once, and no node gets more than it has room for."""
    found: list[Proposal] = []
    for run in running:
        proposals = (_proposal(run, seat, seats, estimates, goal) for seat in seats)
        found += [one for one in proposals if one.gain > 0]
    chosen: list[Proposal] = []
    room = dict(free)
    for one in sorted(found, key=lambda one: (-one.gain, one.number)):
        if room.get(one.target, 0) > 0 and one.number not in {other.number for other in chosen}:
            chosen.append(one)
            room[one.target] -= 1
    return chosen


def _proposal(run: Running, seat: Seat, seats: Sequence[Seat], estimates: Estimates, goal: Goal) -> Proposal:
    here = next(other for other in seats if other.name == run.node)
    now, then = estimates.of(run.entry, here.name), estimates.of(run.entry, seat.name)
    if seat is here or now is None or then is None:
        return Proposal(run.number, seat.name, 0.0)
    left = 1.0 - run.progress
    stay, go = now * left, then * left + estimates.move
    if goal is Goal.COST:  # while it moves, both slots are taken
        stay, go = stay * here.rate, then * left * seat.rate + estimates.move * (here.rate + seat.rate)
    gain = stay - go
    return Proposal(run.number, seat.name, gain if gain > LEAST_GAIN * stay else 0.0)

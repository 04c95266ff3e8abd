# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rules in simulated clusters: limits hold whatever the rules are, and under constant load everything comes to rest."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transproc.automation.policies import (
    Attempt,
    Decision,
    JobState,
    Limits,
    Policy,
    Situation,
    evaluate,
)
from transproc.automation.policies.rules import Balance, Evacuate, Keep, Price, Rule, Spread
from transproc.automation.policies.view import View
from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.cluster.fleet import NodeState
from transproc.errors import NodeError

LABELS = ("red", "blue", "x86_64", "aarch64")
FREE = Limits(at_once=100, an_hour=100_000, cool_down=0, settle=0)


@dataclass
class Machine:
    cpus: int = 1
    base: float = 0.0
    isa: str = "x86_64"
    labels: frozenset[str] = frozenset()
    capacity: int | None = None
    price: float | None = None
    criu: str = "4.1.1"
    answers: bool = True


@dataclass
class World:
    """`jobs`: where each is; `loads`: how many processors each would keep busy if it had them all, constant."""

    machines: dict[str, Machine]
    jobs: dict[str, str]
    loads: dict[str, float]
    now: float = 1e6
    past: list[Attempt] = field(default_factory=list)

    def fleet(self) -> list[NodeState]:
        count = Counter(self.jobs.values())
        return [self._state(name, machine, count[name]) for name, machine in self.machines.items()]

    def _state(self, name: str, machine: Machine, jobs: int) -> NodeState:
        described = Description(machine.labels, machine.capacity, machine.price)
        if not machine.answers:
            return NodeState(name, NodeError(name, "cannot be reached"), described, jobs)
        load = self.busy()[name] * machine.cpus
        facts = Facts(
            machine.isa,
            machine.cpus,
            load,
            8 << 30,
            4 << 30,
            9 << 30,
            "6.12",
            machine.criu,
            4096,
            9.0,
            0.0,
            0.1,
            1 << 22,
        )
        return NodeState(name, facts, described, jobs)

    def busy(self) -> dict[str, float]:
        """What there is to do for each processor."""
        loads = {name: machine.base for name, machine in self.machines.items()}
        for job, node in self.jobs.items():
            loads[node] += self.loads[job]
        return {name: load / self.machines[name].cpus for name, load in loads.items()}

    def decide(self, policy: Policy) -> Decision:
        fleet = self.fleet()
        share = {name: 1 / max(1.0, busy) for name, busy in self.busy().items()}
        jobs = [JobState(name, node, self.loads[name] * share[node]) for name, node in self.jobs.items()]
        situation = Situation(fleet, jobs, self.past, self.now)
        return evaluate(policy, situation, lambda job, spot: None)

    def round(self, policy: Policy) -> Decision:
        """The moves take no time, and all succeed."""
        found = self.decide(policy)
        for move in found.moves:
            assert self.jobs[move.job] == move.source
            self.jobs[move.job] = move.target
            self.past.append(Attempt(move.job, move.source, move.target, self.now, self.now, done=True))
        return found

    def rest(self, policy: Policy, rounds: int) -> int:
        """After how many rounds nothing moves any more; fails if it goes on."""
        for number in range(rounds):
            if not self.round(policy).moves:
                return number
            self.now += 1
        raise AssertionError(f"no rest: {self.past[-6:]}")


def simple(**nodes: list[float]) -> World:
    """One processor each, and jobs of these loads, named after their node."""
    machines = {name: Machine() for name in nodes}
    jobs = {f"{name}{number}": name for name, loads in nodes.items() for number in range(len(loads))}
    loads = {f"{name}{number}": load for name, found in nodes.items() for number, load in enumerate(found)}
    return World(machines, jobs, loads)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "cpus": st.integers(1, 8),
    "base": st.floats(0, 4),
    "isa": st.sampled_from(["x86_64", "aarch64"]),
    "labels": st.frozensets(st.sampled_from(["red", "blue"])),
}
"""Of machines that answer and take any number of jobs."""

machines = st.builds(
    Machine,
    **FIELDS,
    capacity=st.none() | st.integers(0, 6),
    price=st.none() | st.floats(0, 2),
    criu=st.sampled_from(["4.1.1", "4.1.1", "4.1.1", ""]),
    answers=st.sampled_from([True, True, True, False]),
)


@st.composite
def worlds(draw: st.DrawFn, machine: st.SearchStrategy[Machine] = machines, least: int = 1) -> World:
    made = draw(st.lists(machine, min_size=least, max_size=6))
    named = {f"n{number}": one for number, one in enumerate(made)}
    count = draw(st.integers(0, 12))
    jobs = {f"{draw(st.sampled_from('ab'))}{n}": draw(st.sampled_from(sorted(named))) for n in range(count)}
    return World(named, jobs, {job: draw(st.floats(0.0, 5.0)) for job in jobs})


labels = st.frozensets(st.sampled_from(LABELS), max_size=1)
some = st.frozensets(st.sampled_from(LABELS), min_size=1, max_size=1)
jobs_of = st.sampled_from([("*",), ("a*",), ("b*",)])
rules: st.SearchStrategy[Rule] = st.one_of(
    st.builds(Evacuate, jobs_of, some),
    st.builds(Keep, jobs_of, some),
    st.builds(Balance, jobs_of, labels, st.floats(0.1, 2.0)),
    st.builds(Spread, jobs_of, labels),
    st.sampled_from(
        [
            Price(("*",), cheap=one, fast=two, idle=0.5, busy=1.0)
            for one in LABELS
            for two in LABELS
            if one != two
        ]
    ),
)
policies = st.lists(rules, min_size=1, max_size=4)


@given(
    worlds(),
    policies,
    st.builds(Limits, st.integers(1, 3), st.integers(1, 6), st.sampled_from([60.0, 900.0]), st.just(0.0)),
    st.data(),
)
@settings(max_examples=80, deadline=None)
def test_limits_hold(world: World, made: list[Rule], limits: Limits, data: st.DataObject) -> None:
    """Also if migrations take long, and fail."""
    policy, under_way = Policy(tuple(made), limits), []
    begun: list[tuple[float, str]] = []
    ended: dict[str, float] = {}
    for _ in range(12):
        world.now += data.draw(st.sampled_from([30.0, 400.0, 2000.0]))
        for one in [one for one in under_way if data.draw(st.booleans())]:
            under_way.remove(one)
            world.past.remove(one)
            done = data.draw(st.booleans())
            world.past.append(dataclasses.replace(one, ended=world.now, done=done))
            ended[one.job] = world.now
            if done:
                world.jobs[one.job] = one.target
        rooms = {state.name: state for state in world.fleet()}
        moves = world.decide(policy).moves
        assert len({move.job for move in moves}) == len(moves)
        for move in moves:
            assert move.job not in {one.job for one in under_way}
            assert world.now - ended.get(move.job, -1e9) >= limits.cool_down
            assert isinstance(rooms[move.target].facts, Facts) and rooms[move.target].facts.criu
            assert move.source == world.jobs[move.job] != move.target
            begun.append((world.now, move.job))
            under_way.append(Attempt(move.job, move.source, move.target, world.now, None, done=False))
            world.past.append(under_way[-1])
        assert len(under_way) <= limits.at_once
        assert sum(world.now - at < 3600 for at, _ in begun) <= limits.an_hour


@given(worlds(), policies)
@settings(max_examples=80, deadline=None)
def test_no_node_gets_more_than_it_takes(world: World, made: list[Rule]) -> None:
    before = Counter(world.jobs.values())
    world.round(Policy(tuple(made), FREE))
    after = Counter(world.jobs.values())
    for name, machine in world.machines.items():
        if machine.capacity is not None:
            assert after[name] <= max(machine.capacity, before[name])


healthy = st.builds(Machine, **FIELDS)


@given(worlds(healthy), st.floats(0.05, 2.0), st.sampled_from([1, 3, 100]))
@settings(max_examples=80, deadline=None)
def test_balance_comes_to_rest(world: World, difference: float, at_once: int) -> None:
    """With constant load there is no oscillation, also without any memory of the past; what is left is not worth a move."""
    policy = Policy((Balance(difference=difference),), dataclasses.replace(FREE, at_once=at_once))
    before = max(world.busy().values())
    for _ in range(100):
        world.past = []
        if not world.round(policy).moves:
            break
    else:
        raise AssertionError("no rest")
    assert max(world.busy().values()) <= before + 1e-9


def test_spread_does_not_undo_what_balance_does() -> None:
    """One moved jobs to where there are few, the other one moved others back, for ever."""
    machines = {
        name: Machine(cpus=cpus, base=2.0, isa="x86_64", labels=frozenset())
        for name, cpus in (("n0", 1), ("n1", 2))
    }
    loads = dict(zip((f"a{n}" for n in range(8)), (2.0, 2.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0), strict=True))
    world = World(machines, dict.fromkeys(loads, "n0"), loads, 1_000_000.0, [])
    world.rest(Policy((Balance(("*",), frozenset(), 1.0), Spread(("*",), frozenset())), FREE), 100)


@given(worlds(healthy), policies)
@settings(max_examples=80, deadline=None)
def test_rules_come_to_rest_together(world: World, made: list[Rule]) -> None:
    """Whatever the rules are, they do not undo each other's work for ever."""
    world.rest(Policy(tuple(made), FREE), 100)


@given(worlds(healthy, least=2), st.integers(1, 4), st.sampled_from([0.0, 600.0]))
@settings(max_examples=50, deadline=None)
def test_evacuation_ends(world: World, at_once: int, cool_down: float) -> None:
    world.machines["n0"].labels = frozenset({"leaving"})
    policy = Policy(
        (Evacuate(nodes=frozenset({"leaving"})), Balance()),
        Limits(at_once=at_once, an_hour=1000, cool_down=cool_down, settle=0),
    )
    for _ in range(40):
        world.round(policy)
        world.now += 100
    assert "n0" not in world.jobs.values()


def test_balance_moves_what_helps_most() -> None:
    world = simple(a=[1.0, 1.0, 1.0, 1.0], b=[])
    assert world.rest(Policy((Balance(),), FREE), 9) == 1
    assert Counter(world.jobs.values()) == {"a": 2, "b": 2}
    assert not simple(a=[2.0], b=[]).decide(Policy((Balance(),), FREE)).moves


def test_balance_counts_processors() -> None:
    world = simple(a=[1.0, 1.0], b=[1.0, 1.0])
    world.machines["b"].cpus = 4
    (move,) = world.round(Policy((Balance(),), dataclasses.replace(FREE, at_once=1))).moves
    assert (move.source, move.target) == ("a", "b")
    assert move.reason == "a has 2.00 to do for each processor, b 0.50"


def test_one_job_of_many_is_worth_a_move() -> None:
    """It changes the load of a large machine by little."""
    world = simple(a=[1.0] * 16, b=[])
    for machine in world.machines.values():
        machine.cpus = 8
    world.rest(Policy((Balance(),), FREE), 20)
    count = Counter(world.jobs.values())
    assert abs(count["a"] - count["b"]) <= 4


def test_a_load_that_is_not_settled_is_not_weighed() -> None:
    world = simple(a=[1.0, 1.0], b=[], c=[])
    world.past = [Attempt("x", "b", "c", world.now - 60, world.now - 50, done=True)]
    policy = Policy((Balance(),), dataclasses.replace(FREE, settle=90))
    assert not world.decide(policy).moves
    world.now += 60
    assert world.decide(policy).moves


def test_balance_does_not_bring_a_job_back() -> None:
    """What was measured may be wrong: a job could go to and fro with each cool-down."""
    world = simple(a=[1.0, 1.0], b=[])
    policy = Policy((Balance(),), dataclasses.replace(FREE, cool_down=600, at_once=1))
    (move,) = world.round(policy).moves
    world.loads |= {"a0": 0.1, "a1": 0.1, move.job: 5.0, "b0": 5.0}
    world.jobs["b0"] = "b"
    world.now += 700
    found = world.decide(policy)
    assert [one.job for one in found.moves] == ["b0"]
    world.now += 3600
    assert {one.job for one in world.decide(policy).moves} <= {"b0", move.job}


def test_price() -> None:
    world = simple(cheap=[1.0, 0.5], fast=[])
    world.machines["cheap"].labels, world.machines["fast"].labels = frozenset({"arm"}), frozenset({"x86"})
    policy = Policy((Price(cheap="arm", fast="x86", idle=0.3, busy=0.8),), FREE)
    (move,) = world.round(policy).moves
    assert (move.job, move.target, move.reason) == ("cheap0", "fast", "arm is busy (1.50)")
    assert not world.round(policy).moves
    world.loads |= {"cheap1": 0.1, "cheap0": 0.2}
    (move,) = world.round(policy).moves
    assert (move.job, move.target, move.reason) == ("cheap0", "cheap", "arm is idle (0.10)")
    assert not world.round(policy).moves


def test_keep_and_spread() -> None:
    world = simple(a=[0.0] * 5, b=[], c=[])
    world.machines["a"].labels = world.machines["b"].labels = frozenset({"cellar"})
    policy = Policy((Keep(("a0",), frozenset({"cellar"})), Spread()), FREE)
    world.rest(policy, 9)
    assert sorted(Counter(world.jobs.values()).values()) == [1, 2, 2]
    world.jobs["a0"] = "c"
    (move, *_) = world.decide(policy).moves
    assert (move.job, move.rule, move.reason) == ("a0", 1, "c has no label cellar")


def test_what_cannot_be_done_is_said() -> None:
    world = simple(a=[1.0], b=[1.0], gone=[1.0])
    world.machines["gone"].answers = False
    everything = Policy((Evacuate(nodes=frozenset({"gone"})), Keep(("b0",), frozenset({"nowhere"}))), FREE)
    assert world.decide(everything).notes == [
        "rule 1 (evacuate gone): gone0 cannot be moved: gone cannot be reached",
        "rule 2 (keep nowhere): b0 should move (b has no label nowhere), but there is no other node",
    ]
    leave = Policy((Evacuate(nodes=frozenset({"a"})), Keep(("a0",), frozenset({"a"}))), FREE)
    assert "but b is excluded by rule 2 (keep a)" in world.decide(leave).notes[0]
    one = Policy((Evacuate(nodes=frozenset({"a"})),), dataclasses.replace(FREE, an_hour=1))
    world.past = [Attempt("x", "a", "b", world.now - 60, world.now - 50, done=True)]
    assert world.decide(one).notes == [
        "rule 1 (evacuate a): a0 waits: at most 1 migration an hour (a is to be empty)"
    ]
    world.past = [Attempt("a0", "a", "b", world.now - 60, world.now - 50, done=False)]
    assert "b has refused it within the last hour" in world.decide(leave).notes[0]


def test_loads_are_shared_out() -> None:
    """What was measured is what a job got, of a node that has too much to do; the rest is shared evenly."""
    state = World({"a": Machine(cpus=2, base=8.0)}, {}, {}).fleet()
    view = View(state, [JobState("j", "a", 1.5), JobState("k", "a", 0.25)])
    assert (view.weight("j"), view.weight("k")) == (6.0, 1.0)
    view = View(state, [JobState("j", "a", 0.5), JobState("k", "a"), JobState("l", "a")])
    assert (view.weight("j"), view.weight("k"), view.weight("l")) == (2.0, 3.0, 3.0)
    idle = World({"a": Machine(cpus=2, base=1.0)}, {}, {}).fleet()
    assert View(idle, [JobState("j", "a", 0.25)]).weight("j") == 0.25


@pytest.mark.parametrize("bound", [None, "'pause' is at work on it"])
def test_a_job_that_is_being_worked_on_stays(bound: str | None) -> None:
    world = simple(a=[1.0], b=[])
    situation = Situation(world.fleet(), [JobState("a0", "a", 1.0, bound)], [], world.now)
    policy = Policy((Evacuate(nodes=frozenset({"a"})),), FREE)
    assert len(evaluate(policy, situation, lambda job, spot: None).moves) == (bound is None)

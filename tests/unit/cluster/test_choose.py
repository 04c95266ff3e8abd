# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which node is chosen, and why not the others; what is foretold of a migration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cluster.test_operations import World, world
from transproc.cluster import operations
from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.cluster.fleet import NodeState, count
from transproc.cluster.history import AttemptRecord
from transproc.cluster.job import Job, State
from transproc.cluster.operations.choose import choose, unfit
from transproc.cluster.operations.forecast import estimate
from transproc.errors import NodeError, TransprocError, UnsupportedError

__all__ = ["world"]


def facts(isa: str = "aarch64", **changes: object) -> Facts:
    words = {
        **{"isa": isa, "cpus": 4, "load": 1.0, "memory": 8 << 30, "available": 4 << 30, "disk": 9 << 30},
        **{"kernel": "6.12", "criu": "4.1.1", "page": 4096, "uptime": 9.0, "clock": 0.0, "answer": 0.1},
        "ids": 1 << 22,
    }
    return Facts(**{**words, **changes})  # type: ignore[arg-type]


def node(name: str, found: object, **described: object) -> NodeState:
    labels = frozenset(described.pop("labels", ()))  # type: ignore[call-overload]
    jobs = described.pop("jobs", 0)
    return NodeState(name, found, Description(labels, **described), jobs)  # type: ignore[arg-type]


def choosing(world: World, *fleet: NodeState, labels: tuple[str, ...] = ()) -> operations.Choice:
    object.__setattr__(world.context, "fleet", lambda: fleet)
    return choose(world.context, "j", labels=labels)


@pytest.mark.parametrize(
    ("candidate", "labels", "reason"),
    [
        (node("x86", facts()), (), "it is there"),
        (node("x86", facts(), labels=["cheap"]), ("cheap",), "it is there"),
        (node("x86", facts(), labels=["cheap"]), ("cheap", "big"), "it is there, and has no label big"),
        (node("b", None), (), "has not answered in time"),
        (node("b", NodeError("b", "cannot connect")), (), "cannot connect"),
        (node("b", facts()), ("cheap", "b"), "has no label cheap"),
        (node("b", facts(), labels=["cheap"]), ("cheap", "b", "aarch64"), None),
        (node("b", facts(), capacity=2, jobs=2), (), "is full: it takes 2 jobs at once"),
        (node("b", facts(), capacity=2, jobs=1), (), None),
        (node("b", facts(criu="")), (), "has no criu, expected 4.1.1 or later"),
        (node("b", facts(criu="3.17.1")), (), "has criu 3.17.1, expected 4.1.1 or later"),
        (node("b", facts(ids=4711)), (), "gives process ids below 4711, but the program has 4711"),
        (node("b", facts(ids=4712)), (), None),
        (node("b", facts(isa="riscv64")), (), "no binary for riscv64"),
    ],
)
def test_reasons(world: World, candidate: NodeState, labels: tuple[str, ...], reason: str | None) -> None:
    world.run()
    assert unfit(world.context, world.job, candidate, labels) == reason


def test_the_one_with_least_to_do_among_equals_the_cheapest(world: World) -> None:
    world.run()
    world.nodes |= dict.fromkeys((("a", "b"), "c"), world.arm)
    choice = choosing(
        world,
        node("x86", facts("x86_64")),
        node("a", facts(load=3.9), price=0.0),
        node("b", facts(load=0.1), price=2.0),
        node("c", facts(load=0.1), price=1.0),
    )
    assert choice.node == "c"
    assert choice.others == {
        "x86": "it is there",
        "a": "has more to do (1.0 for each processor, c 0.0)",
        "b": "costs more (2, c 1)",
    }
    assert choice.forecast.isas == ("x86_64", "aarch64")


def test_jobs_that_the_load_does_not_show_yet_count(world: World) -> None:
    assert node("a", facts(load=0.0), jobs=8).busy == 2.0
    jobs = [Job("a", "x", ["p"], state=State.RUNNING), Job("b", "x", ["p"], state=State.RESTORED, target="y")]
    assert count([*jobs, Job("c", "y", ["p"], state=State.EXITED)]) == {"x": 2, "y": 1}


def test_the_next_best_is_taken_if_the_best_refuses(world: World) -> None:
    world.run()
    world.arm.ids = 100
    second = world.nodes["second"] = type(world.arm)("second", "aarch64", world.arm.root.parent / "second")
    assert second.calls == []
    choice = choosing(world, node("arm", facts(load=0.0)), node("second", facts(load=2.0)))
    assert choice.node == "second"
    assert choice.others["arm"].startswith("gives process ids below 100")


def test_none_can(world: World) -> None:
    world.run()
    with pytest.raises(TransprocError, match="no node with label gpu that can take it") as raised:
        choosing(world, node("arm", facts()), labels=("gpu",))
    assert "arm: has no label gpu" in raised.value.message


def test_a_forecast_changes_nothing(world: World) -> None:
    world.run()
    before = (world.job.as_dict(), sorted(world.arm.root.rglob("*")), len(world.arm.calls))
    found = operations.forecast(world.context, "j", "arm")
    assert (found.source, found.target) == ("x86", "arm")
    assert (world.job.as_dict(), sorted(world.arm.root.rglob("*"))) == before[:2]
    assert set(world.arm.calls[before[2] :]) <= {"room", "criu", "version", "taken", "sizes"}
    world.one_copy_runs(world.x86)


def test_a_forecast_of_what_is_refused(world: World) -> None:
    world.run()
    world.arm.criu = "3.17"
    with pytest.raises(UnsupportedError, match=r"criu is 3\.17"):
        operations.forecast(world.context, "j", "arm")
    job = world.job
    job.leftovers.append("arm")
    world.store.save(job)
    with pytest.raises(TransprocError, match="may hold a stopped copy"):
        operations.forecast(world.context, "j", "arm")
    assert world.job.leftovers == ["arm"]


def test_an_image_for_another_isa_is_refused_before_anything_is_sent(world: World) -> None:
    """Once criu failed with it, on the target."""
    world.run()
    operations.dump(world.context, "j")
    operations.transform(world.context, "j", "x86_64")
    before = len(world.arm.calls)
    with pytest.raises(
        UnsupportedError, match="is of ISA aarch64, but the image of job j was made for x86_64"
    ) as raised:
        operations.restore(world.context, "j", "arm")
    assert "transproc transform j --to aarch64" in (raised.value.hint or "")
    assert world.arm.calls[before:] == []
    operations.transform(world.context, "j", "aarch64")
    operations.restore(world.context, "j", "arm")
    operations.resume(world.context, "j")
    world.one_copy_runs(world.arm)


def past(job: str, way: str, downtime: float, size: int, whole: float = 1.0) -> AttemptRecord:
    source, target = way.split(">")
    return AttemptRecord(
        1, job, "migrate", "running", source, target, 100.0, 100.0 + whole, "done", "", downtime, size, ()
    )


def test_what_is_most_like_it_is_what_counts() -> None:
    history = [past("j", "a>b", 0.5, 1000), past("k", "a>b", 5.0, 1000), past("j", "b>a", 9.0, 1000)]
    downtime, _, basis = estimate(history, "j", ("a", "b"), 1000, 0.1)
    assert downtime.low <= 0.5 <= downtime.high < 1
    assert basis == "1 migration of this job from a to b"
    downtime, _, basis = estimate(history, "new", ("a", "b"), 1000, 0.1)
    assert basis == "2 migrations of other jobs from a to b"
    assert downtime.low <= 0.5 and downtime.high >= 5.0
    assert estimate(history, "j", ("a", "c"), 1000, 0.1)[2] == "2 migrations of this job between other nodes"
    assert (
        estimate(history, "new", ("c", "d"), 1000, 0.1)[2] == "3 migrations of other jobs between other nodes"
    )
    assert "a guess" in estimate([], "j", ("a", "b"), 1000, 0.1)[2]
    undone = AttemptRecord(1, "j", "migrate", "running", "a", "b", 1, 2, "undone", "", None, None, ())
    assert "a guess" in estimate([undone], "j", ("a", "b"), 1000, 0.1)[2]


@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 1 << 40)), min_size=1, max_size=9),
    st.integers(0, 1 << 40),
)
def test_a_span_holds_what_was_measured(samples: list[tuple[float, int]], memory: int) -> None:
    history = [past("j", "a>b", seconds, size, seconds) for seconds, size in samples]
    downtime, whole, _ = estimate(history, "j", ("a", "b"), memory, 0.1)
    for span in (downtime, whole):
        assert 0 <= span.low <= min(seconds for seconds, _ in samples)
        assert span.high >= max(seconds for seconds, _ in samples)


def test_more_memory_takes_longer() -> None:
    history = [past("j", "a>b", 1.0, 1 << 20)]
    assert (
        estimate(history, "j", ("a", "b"), 1 << 22, 0.1)[0].high
        >= 4 * estimate(history, "j", ("a", "b"), 1 << 20, 0.1)[0].high * 0.99
    )

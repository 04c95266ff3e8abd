# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What lists show, from records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.cluster.history import AttemptRecord, Listed, StepRecord
from transproc.cluster.job import Job, State
from transproc.controller.web import views
from transproc.controller.web.views import Query
from transproc.errors import NodeError

NOW = 10_000.0
FACTS = Facts("aarch64", 4, 2.0, 8 << 30, 6 << 30, 1 << 40, "6.12", "4.2", 4096, 100.0, 0.0, 0.01, 1 << 22)


def job(name: str, node: str = "x86", state: State = State.RUNNING, **fields: object) -> Listed:
    return Listed(name, Job(name, node, ["prog", "--word", name], state=state, started=NOW - 60, **fields))  # type: ignore[arg-type]


def attempt(name: str, kind: str = "migrate", steps: Sequence[str] = ()) -> AttemptRecord:
    made = tuple(StepRecord(step, NOW, None, "") for step in steps)
    return AttemptRecord(1, name, kind, "running", "x86", "arm", NOW, None, None, "", None, None, made)


def listed(
    jobs: Sequence[Listed],
    query: Query | None = None,
    arrivals: Mapping[str, float] | None = None,
    busy: Sequence[AttemptRecord] = (),
) -> views.JobList:
    def came(names: Sequence[str]) -> Mapping[str, float]:
        return {name: time for name, time in (arrivals or {}).items() if name in names}

    return views.job_list(
        jobs, query or Query(), arrivals=came, under_way=busy, isas={"x86": "x86_64"}, now=NOW
    )


def names(found: views.JobList) -> list[str]:
    return [row.name for row in found.rows]


def test_rows() -> None:
    jobs = [
        job("a", user="olga", moves=2),
        job("b", state=State.EXITED, exit="signal 9"),
        Listed("bad", None),
        job("c", state=State.DUMPED),
        job("d", state=State.OWING, owed_by="arm"),
    ]
    a, b, bad, c, d = listed(jobs, arrivals={"a": NOW - 7}, busy=[attempt("c", steps=["pause", "dump"])]).rows
    assert (a.state, a.group, a.node, a.isa, a.age, a.hops, a.user, a.movable) == (
        "running", "running", "x86", "x86_64", "7 s", 2, "olga", True,
    )  # fmt: skip
    assert (b.state, b.group, b.age, b.movable) == ("ended: signal 9", "ended", "1 min", False)
    assert (d.state, d.group) == ("owing: memory comes from arm", "running")
    assert (bad.state, bad.group, bad.movable) == ("damaged", "damaged", False)
    assert (c.group, c.activity, c.movable) == ("stopped", "migrating to arm: dump", False)


def test_every_state_has_a_group() -> None:
    groups = {state: listed([job("a", state=state)]).rows[0].group for state in State}
    assert set(groups.values()) == set(views.GROUPS)
    assert (
        groups[State.STARTING] == "running"
        and groups[State.EXITED] == "ended"
        and groups[State.PAUSED] == "stopped"
    )


def test_filters_and_counts() -> None:
    jobs = [job("alpha"), job("beta", "arm"), job("gamma", "arm", State.EXITED), Listed("broken", None)]
    assert names(listed(jobs, Query(search="ALPHA"))) == ["alpha"]
    assert names(listed(jobs, Query(search="--word arm"))) == ["beta", "gamma"]
    assert names(listed(jobs, Query(node="arm", group="ended"))) == ["gamma"]
    found = listed(jobs, Query(node="arm", group="running"))
    assert (names(found), found.matching, found.total, dict(found.counts)) == (
        ["beta"],
        1,
        4,
        {"running": 1, "ended": 1},
    )
    assert names(listed(jobs, Query(search="brok"))) == ["broken"]


def test_orders() -> None:
    jobs = [job("a", "z", moves=3), job("b", "y", moves=1), Listed("bad", None), job("c", "x", moves=2)]
    assert names(listed(jobs, Query(sort="node"))) == ["bad", "c", "b", "a"]
    assert names(listed(jobs, Query(sort="hops", down=True))) == ["a", "c", "b", "bad"]
    assert names(listed(jobs, Query(sort="since"), {"a": 50.0, "b": 9000.0})) == ["bad", "c", "b", "a"]


def test_pages() -> None:
    jobs = [job(f"j{n:04}") for n in range(views.PAGE * 2 + 1)]
    assert names(listed(jobs, Query(page=3))) == [f"j{views.PAGE * 2:04}"]
    assert listed(jobs, Query(page=99)).query.page == 3
    assert listed([], Query(page=2)).query.page == 1


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(["q", "state", "node", "sort", "page"]), st.text(max_size=300)))
def test_no_address_is_too_strange(words: dict[str, str]) -> None:
    """What was understood of an address leads to the same page again."""
    query = Query.read(words)
    assert len(query.search) <= views.LONGEST and query.group in ("", *views.GROUPS) and query.page >= 0
    assert len(listed([job("a"), Listed("bad", None)], query).rows) <= 2


def test_addresses() -> None:
    query = Query.read({"q": " a&b ", "sort": "-hops", "page": "3"})
    assert query == Query("a&b", sort="hops", down=True, page=3)
    assert query.address(page=4) == "?q=a%26b&sort=-hops&page=4"
    assert query.address(group="ended") == "?q=a%26b&state=ended&sort=-hops"
    assert query.sorted_by("hops") == "?q=a%26b&sort=hops"
    assert Query(sort="node").sorted_by("node") == "?sort=-node"
    assert Query().address() == "?"


def test_node_cards() -> None:
    nodes = {"arm": Description(frozenset({"cheap"}), 1, 0.12), "off": Description(), "slow": Description()}
    facts = {"arm": FACTS, "off": NodeError("off", "connection refused")}
    jobs = [job("a", "arm"), job("b", "arm", State.EXITED), job("c", "lost")]
    arm, slow, lost, off = views.node_cards(nodes, facts, jobs)
    assert (arm.status, arm.isa, arm.load, arm.memory, arm.jobs_text, arm.full) == (
        "up",
        "aarch64",
        0.5,
        0.25,
        "1 of 1 jobs",
        True,
    )
    assert (arm.load_text, arm.memory_text, arm.price) == (
        "2.00 on 4 CPUs",
        "6.4 GB free",
        "0.12 an hour",
    )
    assert (slow.status, slow.jobs_text) == ("asking", "0 jobs")
    assert (lost.name, lost.status, lost.problem) == ("lost", "down", "is in no list of nodes any more")
    assert (off.status, off.problem) == ("down", "connection refused")


def test_actions() -> None:
    def words(state: State, *, busy: bool = False) -> list[str]:
        return [action.name for action in views.job_actions(job("a", state=state).job, busy=busy)]

    assert words(State.RUNNING) == ["migrate", "pause", "checkpoint", "kill"]
    assert words(State.PAUSED) == ["migrate", "checkpoint", "resume", "kill"]
    assert words(State.RESTORED) == ["resume", "kill"]
    assert words(State.EXITED) == ["kill"]
    assert words(State.RUNNING, busy=True) == [] == views.job_actions(None, busy=False)

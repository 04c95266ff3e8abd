# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job's past as geometry, and migrations as points."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from transproc.cluster.history import AttemptRecord, StepRecord
from transproc.cluster.job import Job, State
from transproc.controller.web import plots
from transproc.controller.web.timeline import WIDTH, attempt_view, timeline

STEPS = (
    StepRecord("preflight", 100.0, 1.0, "x86_64 → aarch64"),
    StepRecord("pause", 101.0, 0.5, "2 threads"),
    StepRecord("dump", 101.5, 1.5, ""),
    StepRecord("resume", 103.0, 0.5, ""),
    StepRecord("retire", 103.5, 0.5, ""),
)


def attempt(
    number: int, source: str, target: str | None, at: float, result: str | None = "done", **fields: object
) -> AttemptRecord:
    ended = None if result is None else at + 4.0
    words: dict[str, object] = {
        "number": number,
        "job": "j",
        "kind": "migrate",
        "before": "running",
        "steps": (),
        "outcome": "",
    }
    words |= {"source": source, "target": target, "started": at, "ended": ended, "result": result}
    words |= {"downtime": 2.5, "bytes": 1000}
    return AttemptRecord(**{**words, **fields})  # type: ignore[arg-type]


def job(**fields: object) -> Job:
    return Job("j", **{"node": "arm", "argv": ["prog"], "state": State.RUNNING, "started": 0.0, **fields})  # type: ignore[arg-type]


def test_which_node_when() -> None:
    moves = [
        attempt(3, "x86", "arm", 796.0),
        attempt(2, "arm", "x86", 396.0),
        attempt(1, "x86", "arm", 196.0),
    ]
    line = timeline(job(), moves, {"arm": "aarch64"}, 1000.0)
    assert [(lane.node, lane.isa, [(stay.x, stay.width) for stay in lane.stays]) for lane in line.lanes] == [
        ("x86", "", [(0.0, 200.0), (400.0, 400.0)]),
        ("arm", "aarch64", [(200.0, 200.0), (800.0, 200.0)]),
    ]
    assert [(mark.x, mark.kind, mark.attempt) for mark in line.marks] == [
        (200.0, "done", 1),
        (400.0, "done", 2),
        (800.0, "done", 3),
    ]
    assert (line.begin, line.end, line.open) == (0.0, 1000.0, True)


def test_a_failed_move_is_a_mark_and_no_stay() -> None:
    line = timeline(job(node="x86"), [attempt(1, "x86", "arm", 96.0, "undone")], {}, 1000.0)
    assert [(lane.node, len(lane.stays)) for lane in line.lanes] == [("x86", 1)]
    assert [(mark.x, mark.kind) for mark in line.marks] == [(100.0, "failed")]


def test_the_end_of_a_job_is_the_last_that_is_known() -> None:
    ended = job(state=State.EXITED)
    line = timeline(
        ended, [attempt(1, "x86", "arm", 96.0), attempt(2, "arm", None, 196.0, kind="kill")], {}, 5000.0
    )
    assert (line.end, line.open) == (200.0, False)
    assert timeline(ended, [], {}, 5000.0).end > 0


def test_steps_as_bars() -> None:
    view = attempt_view(attempt(1, "x86", "arm", 100.0, steps=STEPS), 200.0)
    assert [(bar.name, bar.x, bar.width, bar.time) for bar in view.bars] == [
        ("preflight", 0.0, 250.0, "1.00 s"),
        ("pause", 250.0, 125.0, "0.50 s"),
        ("dump", 375.0, 375.0, "1.50 s"),
        ("resume", 750.0, 125.0, "0.50 s"),
        ("retire", 875.0, 125.0, "0.50 s"),
    ]
    assert view.down is not None and (view.down.x, view.down.width) == (250.0, 625.0)
    assert (view.title, view.words, view.state, view.took) == (
        "x86 to arm",
        "migrate from x86 to arm",
        "done",
        "4.00 s",
    )
    assert (view.downtime, view.bytes) == ("2.50 s", "1.0 kB")


def test_a_failure_and_what_is_under_way() -> None:
    steps = (*STEPS[:1], StepRecord("pause", 101.0, None, "a thread did not stop"))
    failed = attempt_view(
        attempt(1, "x86", "arm", 100.0, "undone", steps=steps, downtime=None, bytes=None), 200.0
    )
    assert [bar.kind for bar in failed.bars] == ["done", "failed"] and failed.state == "failed"
    assert (failed.bars[1].detail, failed.bars[1].time, failed.down) == (
        "a thread did not stop",
        "3.00 s",
        None,
    )
    now = attempt_view(attempt(1, "x86", "arm", 100.0, None, steps=steps), 110.0)
    assert [bar.kind for bar in now.bars] == ["done", "now"] and (now.state, now.took) == ("now", "10.0 s")
    lost = attempt_view(attempt(1, "x86", "arm", 100.0, None, steps=steps), 110.0, live=False)
    assert [bar.kind for bar in lost.bars] == ["done", "lost"] and lost.state == "lost"


times = st.floats(-1e9, 1e10)
made_steps = st.lists(
    st.builds(StepRecord, st.text(max_size=5), times, st.none() | st.floats(0, 1e9), st.text(max_size=5)),
    max_size=12,
)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(times, times, st.sampled_from(["done", "undone", None]), made_steps), max_size=8),
    times,
)
def test_clocks_may_be_anything(
    records: Sequence[tuple[float, float, str | None, list[StepRecord]]], now: float
) -> None:
    """Nothing is drawn outside, though clocks were set back."""
    attempts = [
        attempt(n, "x86", "arm", started, result, ended=ended, steps=tuple(steps))
        for n, (started, ended, result, steps) in enumerate(records)
    ]
    line = timeline(job(), attempts, {}, now)
    for span in [stay for lane in line.lanes for stay in lane.stays]:
        assert 0 <= span.x <= WIDTH and 0 < span.width <= WIDTH
    for one in attempts:
        for bar in attempt_view(one, now).bars:
            assert 0 <= bar.x <= WIDTH and 0 < bar.width <= WIDTH and bar.x + bar.width <= WIDTH + 0.1
    for plot in plots.plots(attempts):
        assert all(0 <= point.x <= plots.SIDE and 0 <= point.y <= plots.SIDE for point in plot.points)


def test_plots() -> None:
    moves = [
        attempt(2, "arm", "x86", 0.0, downtime=10.0, bytes=None),
        attempt(1, "x86", "arm", 0.0, downtime=0.1, bytes=5_000_000),
        attempt(3, "x86", "arm", 0.0, "undone", downtime=None, bytes=None),
    ]
    downtime, sent = plots.plots(moves)
    assert downtime.ways == ["arm to x86", "x86 to arm"]
    assert [(point.attempt, point.number) for point in downtime.points] == [(1, 1), (2, 0)]
    first, second = downtime.points
    assert first.x < second.x and first.y > second.y
    assert (downtime.low, downtime.middle, downtime.high, downtime.median) == (
        "67 ms",
        "1.00 s",
        "15.0 s",
        "10.0 s",
    )
    assert (len(sent.points), sent.median) == (1, "5.0 MB")
    assert plots.plots(moves[2:]) == []

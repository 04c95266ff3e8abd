# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job's past as geometry: on which node it was when, and of each attempt the steps as bars. Lengths are of `WIDTH`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from transproc.cluster.history import AttemptRecord
from transproc.cluster.job import Job, State
from transproc.cluster.phase import KIND, Phase
from transproc.cluster.store import Result
from transproc.controller.web import text
from transproc.text import human

WIDTH = 1000.0
_LEAST = 2.0
"""Of a bar that would not be seen."""


@dataclass(frozen=True)
class Span:
    """A bar; `words` tell what it is."""

    x: float
    width: float
    words: str


@dataclass(frozen=True)
class Lane:
    """A node and when the job was there; `number` of its colour."""

    node: str
    isa: str
    number: int
    stays: Sequence[Span]


@dataclass(frozen=True)
class Mark:
    """An attempt on the timeline: `kind` is "done", "failed" or "now"."""

    x: float
    kind: str
    attempt: int
    words: str


@dataclass(frozen=True)
class Timeline:
    """From `begin` to `end`, in seconds of the epoch; `open`: it goes on."""

    begin: float
    end: float
    open: bool
    lanes: Sequence[Lane]
    marks: Sequence[Mark]


@dataclass(frozen=True)
class StepBar:
    """One step: `kind` is "done", "failed", "now" or "lost" (it was cut off)."""

    name: str
    kind: str
    x: float
    width: float
    time: str
    detail: str


@dataclass(frozen=True)
class AttemptView:
    """One attempt in words and bars; `down`: from when to when the process stood, if that is known."""

    number: int
    kind: str
    title: str
    words: str
    state: str
    started: float
    age: str
    took: str
    downtime: str
    bytes: str
    outcome: str
    bars: Sequence[StepBar]
    down: Span | None

    @property
    def strip(self) -> Mapping[str, str]:
        """All steps in one bar of height 10: classes → the path of what they have, every other step another class."""
        paths: dict[str, str] = {}
        for number, bar in enumerate(self.bars):
            words = f"{bar.kind} other" if number % 2 else bar.kind
            paths[words] = paths.get(words, "") + f"M{bar.x} 0h{bar.width}v10h-{bar.width}z"
        return paths


def timeline(job: Job, attempts: Sequence[AttemptRecord], isas: dict[str, str], now: float) -> Timeline:
    """Which node when. `attempts` in any order; the job's end is that of the last thing known of it."""
    known = sorted(attempts, key=lambda attempt: attempt.number)
    moves = [one for one in known if one.kind == KIND and one.result == Result.DONE and one.target]
    last = max([job.started, *(one.ended or one.started for one in known)])
    opened = job.state is not State.EXITED
    begin, end = job.started, max(now if opened else last, job.started + 1e-3)
    scale = WIDTH / (end - begin)

    def place(when: float) -> float:
        return round(min(max((when - begin) * scale, 0.0), WIDTH), 2)

    where, since = (moves[0].source if moves else job.node), begin
    stays: dict[str, list[Span]] = {where: []}
    for move in moves:
        left = move.ended or move.started
        stays.setdefault(where, []).append(_stay(place, where, since, left))
        where, since = move.target or where, left
        stays.setdefault(where, [])
    stays[where].append(_stay(place, where, since, end))
    lanes = [Lane(node, isas.get(node, ""), n % 8, spans) for n, (node, spans) in enumerate(stays.items())]
    marks = [
        Mark(place(one.ended or one.started), _kind(one), one.number, title(one))
        for one in known
        if one.kind == KIND
    ]
    return Timeline(begin, end, opened, lanes, marks)


def _stay(place: Callable[[float], float], node: str, since: float, until: float) -> Span:
    x, end = place(since), place(until)
    return Span(x, max(end - x, _LEAST), f"{text.duration(until - since)} on {node}")


def words(attempt: AttemptRecord) -> str:
    """The same with what was done."""
    return (
        f"{attempt.kind} from {title(attempt)}" if attempt.target and attempt.kind == KIND else title(attempt)
    )


def title(attempt: AttemptRecord) -> str:
    """What was tried."""
    if attempt.target and attempt.kind == KIND:
        return f"{attempt.source} to {attempt.target}"
    return f"{attempt.kind} on {attempt.target or attempt.source}"


def attempt_view(attempt: AttemptRecord, now: float, *, live: bool = True) -> AttemptView:
    """`live`: something is at work on it, else it was cut off, if it has not ended."""
    steps, failed = attempt.steps, attempt.result not in (None, Result.DONE)
    begin = min([attempt.started, *(step.started for step in steps)])
    spans = []
    for number, step in enumerate(steps):
        following = steps[number + 1].started if number + 1 < len(steps) else attempt.ended or now
        spans.append(
            (
                step.started,
                step.started + step.seconds if step.seconds is not None else max(following, step.started),
            )
        )
    end = max([begin + 1e-3, *(stop for _, stop in spans)])
    scale = WIDTH / (end - begin)
    bars = []
    for step, (start, stop) in zip(steps, spans, strict=True):
        kind = "done" if step.seconds is not None else "failed" if failed else "now" if live else "lost"
        x = round((start - begin) * scale, 2)
        width = round(max((stop - start) * scale, _LEAST), 2)
        bars.append(
            StepBar(step.name, kind, min(x, WIDTH - width), width, text.duration(stop - start), step.detail)
        )
    return AttemptView(
        attempt.number,
        attempt.kind,
        title(attempt),
        words(attempt),
        _kind(attempt) if live else "lost",
        attempt.started,
        text.age(now - attempt.started),
        text.duration((attempt.ended or now) - begin),
        "" if attempt.downtime is None else text.duration(attempt.downtime),
        "" if attempt.bytes is None else human(attempt.bytes),
        attempt.outcome,
        bars,
        _down(bars),
    )


def _down(bars: Sequence[StepBar]) -> Span | None:
    """From the beginning of the pause to the end of the resume, as `Hop` counts it."""
    stopped = next((bar for bar in bars if bar.name in (Phase.PAUSE, Phase.DUMP)), None)
    resumed = next((bar for bar in bars if bar.name == Phase.COMMIT and bar.kind == "done"), None)
    if stopped is None or resumed is None:
        return None
    return Span(stopped.x, round(resumed.x + resumed.width - stopped.x, 2), "the process stands")


def _kind(attempt: AttemptRecord) -> str:
    return "now" if attempt.result is None else "done" if attempt.result == Result.DONE else "failed"

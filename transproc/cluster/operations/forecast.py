# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Would a job move, and how long would it take? Both nodes are asked; nothing is changed, and nothing is stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from transproc.cluster.history import AttemptRecord, Reader
from transproc.cluster.job import State, expect
from transproc.cluster.operations.context import Context
from transproc.cluster.phase import KIND
from transproc.cluster.store import Result
from transproc.cluster.watch import refresh
from transproc.process.criu import Options

RECENT = 300
"""Migrations of the past that are looked at."""
FEW = 3
"""So many say little of how much the times of one job differ."""
QUICK, SLOW = 0.5, 6.0
"""The downtime of a small process, as multiples of the time in which both nodes answer a preflight: both are some questions
and a few programs that start, on real nodes (docs/benchmarks.md) as on emulated ones. For the first migration of all."""
FAST_BYTES, SLOW_BYTES = 400e6, 20e6
"""A second, of a larger one."""


@dataclass(frozen=True)
class Span:
    """From, to; in seconds."""

    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """A migration that nothing stands in the way of. `memory`: bytes that an image would hold now; `whole`: from the command
    to its end, most of which the program runs through; `basis`: where the times come from; `way`: how its memory goes.
    """

    job: str
    source: str
    target: str
    isas: tuple[str, str]
    memory: int
    downtime: Span
    whole: Span
    basis: str
    way: str = ""


def forecast(context: Context, name: str, to: str, *, options: Options | None = None) -> Forecast:
    """Whether the job could move to that node now; raises what `migrate` would raise before it touches the process."""
    job = context.store.load(name)
    job = refresh(context.store, job, context.places(job))
    context.expect_settled(job)
    expect(job, State.RUNNING, State.PAUSED)
    move = context.move(job, to)
    move.options = replace(options or Options(choose=True), withhold=True)  # as `migrate` does
    for place in (move.source, move.target):
        _ = place.node.isa  # connecting is not a part of it
    begin = time.perf_counter()
    memory = move.examine()
    answer = time.perf_counter() - begin
    past = Reader(context.store.path).recent(KIND, RECENT)
    down = 0 if move.options.follows else memory
    downtime, whole, basis = estimate(past, name, (job.node, to), memory, answer, down=down)
    isas = (move.source.node.isa, move.target.node.isa)
    return Forecast(name, job.node, to, isas, memory, downtime, whole, basis, move.options.way)


def estimate(
    past: Sequence[AttemptRecord],
    job: str,
    way: tuple[str, str],
    memory: int,
    answer: float,
    *,
    down: int | None = None,
) -> tuple[Span, Span, str]:
    """Downtime, time of the whole, and what they are taken from: the migrations that are most like this one.

    `answer`: seconds of a preflight now; `down`: of the bytes of memory those that go while it stands.
    """
    source, target = way
    done = [one for one in past if one.result == Result.DONE and one.downtime and one.ended]
    same_way = [one for one in done if (one.source, one.target) == way]
    for kind, found in (
        (f"of this job from {source} to {target}", [one for one in same_way if one.job == job]),
        (f"of other jobs from {source} to {target}", same_way),
        ("of this job between other nodes", [one for one in done if one.job == job]),
        ("of other jobs between other nodes", done),
    ):
        if found:
            count = f"{len(found)} migration{'s' if len(found) > 1 else ''}"
            downtime = _span([(one.downtime or 0.0, one.bytes or 0) for one in found], memory)
            wholes = [((one.ended or 0.0) - one.started, one.bytes or 0) for one in found]
            return downtime, _span(wholes, memory), f"{count} {kind}"
    basis = "a guess from how fast both nodes answer: there was no migration yet"
    low, high = _guess(answer, memory)
    short, long = _guess(answer, memory if down is None else down)
    return Span(short, long), Span(round(low + answer, 3), round(high + 4 * answer, 3)), basis


def _guess(answer: float, memory: int) -> tuple[float, float]:
    return (
        round(QUICK * answer + memory / FAST_BYTES, 3),
        round(SLOW * answer + memory / SLOW_BYTES, 3),
    )


def _span(samples: Sequence[tuple[float, int]], memory: int) -> Span:
    """Of samples (seconds, bytes). Each says that now it takes as long as then, if the size does not matter, or as many times
    as long as the memory is larger, if nothing else does; the truth lies between. Few samples say less.
    """
    ends = [
        seconds * factor for seconds, size in samples for factor in (1.0, _ratio(memory, size)) if seconds > 0
    ]
    margin = 1.25 if len(samples) < FEW else 1.1
    return Span(round(min(ends, default=0.0) / margin, 3), round(max(ends, default=0.0) * margin, 3))


def _ratio(memory: int, size: int) -> float:
    """How many times larger it is now; what was sent has pages of zeros left out, and files as well."""
    return max(0.1, min(10.0, memory / size)) if size else 1.0

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Downtime and bytes of migrations as plots: points in a square of `SIDE`, which the page stretches; words stay words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transproc.cluster.history import AttemptRecord
from transproc.cluster.store import Result
from transproc.controller.web import text
from transproc.text import human

SIDE = 1000.0
_MARGIN = 30.0
"""So that points at the edges are seen as a whole."""


@dataclass(frozen=True)
class Point:
    """One migration; `number` of its colour, after the way it went; `height` is measured from the bottom."""

    x: float
    y: float
    number: int
    attempt: int
    job: str
    words: str


@dataclass(frozen=True)
class Plot:
    """`low`, `middle`, `high`: what the axis says; it is logarithmic: values are seconds and minutes, kilobytes and gigabytes."""

    title: str
    points: Sequence[Point]
    low: str
    middle: str
    high: str
    ways: Sequence[str]
    median: str


def plots(migrations: Sequence[AttemptRecord]) -> list[Plot]:
    """Of those that have succeeded, oldest on the left. Empty if there is none."""
    done = sorted(
        (one for one in migrations if one.result == Result.DONE and one.target), key=lambda one: one.number
    )
    made = [
        _plot("Downtime", [(one, one.downtime) for one in done], text.duration, 1e-4),
        _plot("Bytes sent", [(one, one.bytes) for one in done], lambda value: human(round(value)), 1.0),
    ]
    return [plot for plot in made if plot is not None]


def _plot(
    title: str,
    values: Sequence[tuple[AttemptRecord, float | None]],
    words: Callable[[float], str],
    least: float,
) -> Plot | None:
    known = [
        (one, max(float(value), least)) for one, value in values if value is not None and math.isfinite(value)
    ]
    if not known:
        return None
    ways = sorted({f"{one.source} to {one.target}" for one, _ in known})
    sizes = sorted(value for _, value in known)
    low, high = _bounds(sizes[0], sizes[-1])
    span = math.log(high / low)
    points = []
    for number, (one, value) in enumerate(known):
        way = f"{one.source} to {one.target}"
        x = SIDE / 2 if len(known) == 1 else number / (len(known) - 1) * (SIDE - 2 * _MARGIN) + _MARGIN
        y = SIDE - math.log(value / low) / span * SIDE
        points.append(
            Point(
                round(x, 1),
                round(y, 1),
                ways.index(way) % 8,
                one.number,
                one.job,
                f"{one.job}, {way}: {words(value)}",
            )
        )
    return Plot(
        title,
        points,
        words(low),
        words(math.sqrt(low * high)),
        words(high),
        ways,
        words(sizes[len(sizes) // 2]),
    )


def _bounds(low: float, high: float) -> tuple[float, float]:
    """A third of room on both sides: one value alone stands in the middle."""
    return low / 1.5, high * 1.5

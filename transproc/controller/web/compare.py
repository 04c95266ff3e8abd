# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Two migrations side by side: what each step took, on one scale, and what they sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from transproc.cluster.history import AttemptRecord
from transproc.cluster.phase import KIND
from transproc.controller.web import text
from transproc.controller.web.frame import Looking, Route, page
from transproc.controller.web.pages import PLOTTED
from transproc.controller.web.timeline import WIDTH, StepBar
from transproc.errors import MissingError
from transproc.text import human

router = APIRouter(include_in_schema=False, route_class=Route)


@dataclass(frozen=True)
class Row:
    """A quantity of both; `bars` are empty for one that has not had that step. `ratio`: the second to the first."""

    name: str
    bars: tuple[StepBar, StepBar]
    ratio: str


def rows(one: AttemptRecord, other: AttemptRecord) -> list[Row]:
    """Steps in the order in which they came, then all of it, the time for which the program stood, and what was sent."""
    pair = (one, other)
    names = list(dict.fromkeys(step.name for attempt in pair for step in attempt.steps))
    times = [tuple(_step(attempt, name) for attempt in pair) for name in names]
    whole = tuple(attempt.ended - attempt.started if attempt.ended else None for attempt in pair)
    lines = [
        *zip(names, times, strict=True),
        ("all of it", whole),
        ("downtime", (one.downtime, other.downtime)),
    ]
    longest = max([seconds for _, values in lines for seconds in values if seconds] or [1.0])
    found = [_row(name, values, longest, text.duration) for name, values in lines]
    sent = (one.bytes, other.bytes)
    return [*found, _row("bytes", sent, max([value for value in sent if value] or [1]), human)]


def _step(attempt: AttemptRecord, name: str) -> float | None:
    """Seconds of all of that name; None: there was none that ended well."""
    found = [step.seconds for step in attempt.steps if step.name == name and step.seconds is not None]
    return sum(found) if found else None


def _row(name: str, values: Sequence[float | None], most: float, words: Any) -> Row:
    first, second = values
    ratio = f"{second / first:.2f}" if first and second is not None else ""
    bars = [
        StepBar(
            name,
            "down" if name == "downtime" else "done",
            0.0,
            round(WIDTH * (value or 0.0) / most, 2),
            "" if value is None else words(value),
            "",
        )
        for value in values
    ]
    return Row(name, (bars[0], bars[1]), ratio)


@router.get("/migrations/compare")
async def compare(
    request: Request,
    who: Looking,
    n: Annotated[list[int] | None, Query(max_length=100)] = None,
) -> Response:
    """The two that were chosen in the list."""
    chosen = sorted(set(n or []))
    if len(chosen) != 2:
        raise HTTPException(422, f"choose two migrations to compare; {len(chosen)} were chosen")

    def gather() -> dict[str, Any]:
        reader = who.service.reader
        known = {one.number: one for one in reader.recent(KIND, PLOTTED, steps=False)}
        if missing := [number for number in chosen if number not in known]:
            raise MissingError(f"migration {missing[0]}: it is not among the latest {PLOTTED}")
        one, other = reader.with_steps([known[number] for number in chosen])
        return {"pair": (one, other), "rows": rows(one, other)}

    return page(request, "compare.html", who=who, **await who.service.ask(gather))

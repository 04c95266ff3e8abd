# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans that were begun on this host, and what each did: from its log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from transproc.automation.plans import records
from transproc.automation.plans.records import PlanRecord, Result, StepRecord
from transproc.controller.web import text
from transproc.controller.web.frame import Looking, Route, page
from transproc.controller.web.timeline import WIDTH, StepBar
from transproc.errors import MissingError

STEPS = 300
"""Of a plan, that are shown: the latest."""

router = APIRouter(include_in_schema=False, route_class=Route)


@dataclass(frozen=True)
class PlanRow:
    """A plan in a list; `group` as for tasks: "running", "ended", or "failed"."""

    number: int
    name: str
    state: str
    group: str
    started: float
    age: str
    took: str
    outcome: str


def plan_row(plan: PlanRecord, now: float) -> PlanRow:
    """What a list says of one plan."""
    group = "running" if plan.result is None else "ended" if plan.result == Result.DONE else "failed"
    took = text.duration((plan.ended or now) - plan.started)
    state = plan.result or "under way, or cut off"
    return PlanRow(
        plan.number, plan.name, state, group, plan.started, text.age(now - plan.started), took, plan.outcome
    )


_KINDS = {str(Result.DONE): "done", str(Result.SKIPPED): "lost", str(Result.CUT_OFF): "lost"}


@dataclass(frozen=True)
class PlanStep:
    """A step of a plan; several may have run beside each other."""

    place: str
    job: str
    bar: StepBar


def plan_steps(plan: PlanRecord, steps: Sequence[StepRecord], now: float) -> list[PlanStep]:
    """The steps as bars between the plan's begin and its end."""
    ends = [step.ended or plan.ended or now for step in steps]
    begin, end = plan.started, max([plan.ended or now, *ends])
    scale = WIDTH / max(end - begin, 1e-3)
    found = []
    for step, stop in zip(steps, ends, strict=True):
        kind = "now" if step.result is None else _KINDS.get(step.result, "failed")
        width = round(min(max((stop - step.started) * scale, 2.0), WIDTH), 2)
        x = round(min(max((step.started - begin) * scale, 0.0), WIDTH - width), 2)
        words = step.detail or ("" if step.result in (None, Result.DONE) else str(step.result))
        found.append(
            PlanStep(
                step.place,
                step.job or "",
                StepBar(step.title, kind, x, width, text.duration(stop - step.started), words),
            )
        )
    return found


@router.get("/plans")
async def plans(request: Request, who: Looking) -> Response:
    """All plans."""
    found = await who.service.ask(records.plans, who.service.store)
    now = time.time()
    return page(request, "plans.html", who=who, plans=[plan_row(plan, now) for plan in found])


@router.get("/plans/{number}")
async def plan(request: Request, who: Looking, number: int) -> Response:
    """One plan. Its text names commands and files: it is for those who may operate."""

    def gather() -> dict[str, Any]:
        store, now = who.service.store, time.time()
        one = next((plan for plan in records.plans(store) if plan.number == number), None)
        if one is None:
            raise MissingError(f"plan {number}: there is none")
        steps, known = records.steps(store, number), set(store.names())
        jobs = [(job, job in known) for job in records.jobs(store, number)]
        shown = plan_steps(one, steps[-STEPS:], now)
        words = {"row": plan_row(one, now), "steps": shown, "earlier": len(steps) - len(shown), "jobs": jobs}
        return {**words, "text": one.text if who.operates else ""}

    return page(request, "plan.html", who=who, **await who.service.ask(gather))

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The log of plans, as `transproc plan log` shows it: of this host, or of a controller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from transproc.cli import common
from transproc.errors import TransprocError

if TYPE_CHECKING:
    from transproc.automation.plans.records import PlanRecord, StepRecord


def show_all(*, as_json: bool) -> None:
    """Which plans there were."""
    from transproc.automation.plans import records

    if (client := common.remote()) is not None:
        found = [records.PlanRecord(**words) for words in client.get("/plans")]
    else:
        found = records.plans(common.host().store)
    if as_json:
        common.show_json([plan.as_dict() for plan in found])
    else:
        rows = [
            (
                plan.number,
                plan.name,
                _clock(plan.started),
                plan.result or "under way, or cut off",
                plan.outcome[:80],
            )
            for plan in found
        ]
        common.table(rows, ("PLAN", "NAME", "BEGAN", "RESULT", "OUTCOME"))


def logged(name: str) -> tuple[PlanRecord, list[StepRecord]]:
    """The last plan of a name, or the one of a number, and its steps."""
    from transproc.automation.plans import records

    if (client := common.remote()) is not None:
        from transproc.controller.client import quoted

        words = client.get(f"/plans/{quoted(name)}")
        steps = [records.StepRecord(**step) for step in words.pop("steps")]
        return records.PlanRecord(**words), steps
    found = records.plans(common.host().store, name)
    if not found:
        raise TransprocError(f"plan {name}: was never carried out", hint="'transproc plan log' lists them")
    return found[0], records.steps(common.host().store, found[0].number)


def show(plan: PlanRecord, steps: Sequence[StepRecord], *, as_json: bool) -> None:
    """What a plan did, step by step."""
    if as_json:
        common.show_json({**plan.as_dict(), "steps": [vars(step) for step in steps]})
        return
    typer.echo(
        f"plan {plan.name} ({plan.path}), {_clock(plan.started)}: {plan.result or 'under way, or cut off'}"
    )
    rows = [
        (
            f"{step.started - plan.started:.2f}",
            "" if step.ended is None else f"{step.ended - step.started:.2f}",
            step.place,
            step.title,
            step.result or "",
            " ".join(step.detail.split())[:100],
        )
        for step in steps
    ]
    common.table(rows, ("AFTER s", "TOOK s", "STEP", "WHAT", "RESULT", ""))
    if plan.outcome:
        typer.echo(plan.outcome)


def _clock(time: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")

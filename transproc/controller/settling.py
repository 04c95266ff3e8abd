# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which plan a task had begun that was cut off, and what those who wait for such a task are told."""

from __future__ import annotations

from pathlib import Path

from transproc.automation.plans import records
from transproc.automation.plans.records import PlanRecord, Result
from transproc.cluster.store import JobStore
from transproc.controller.requests.batch import RunBatch
from transproc.controller.requests.plans import ReplayPlan, ResumePlan, RunPlan, latest
from transproc.controller.taskrecords import Task
from transproc.errors import MissingError

PLANS = (RunPlan.kind, ReplayPlan.kind, ResumePlan.kind)


def plan_of(store: JobStore, task: Task) -> PlanRecord | None:
    """The plan in the log that a task had carried out, begun or gone on with; None if it had not come so far."""
    if task.kind not in PLANS:
        return None
    if task.kind == RunPlan.kind:
        path = str(Path(task.request["file"]).absolute())
    else:
        try:
            named = latest(store, task.request["plan"])
        except MissingError:
            return None
        if task.kind == ResumePlan.kind:
            return named
        path = named.path
    since = task.started or task.created
    return next((plan for plan in records.plans(store) if plan.path == path and plan.started >= since), None)


def without_plan(task: Task) -> str:
    """What became of a task that had no job and no plan."""
    if task.kind in PLANS:
        return "the plan had not begun"
    if task.kind == RunBatch.kind:
        return "what the batch has started goes on, nothing more of it is started"
    return "whether it was done is not known"


def with_plan(plan: PlanRecord) -> str:
    """Where a plan stands that nobody carries out any more."""
    if plan.result == Result.DONE:
        return f"plan {plan.name} ({plan.number}) is done: {plan.outcome}"
    outcome = f": {plan.outcome}" if plan.outcome else ""
    return (
        f"plan {plan.name} ({plan.number}) was {plan.result or 'cut off'}{outcome}; 'transproc plan log {plan.number}' shows"
        f" what was done, 'transproc plan resume {plan.number}' goes on"
    )

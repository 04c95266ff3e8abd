# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""After a plan was cut off: its jobs are settled, and those that it had stopped go on. Nobody will carry it on."""

from __future__ import annotations

from transproc.automation.plans import records
from transproc.automation.plans.executor import describe
from transproc.automation.plans.records import PlanRecord, Result
from transproc.cluster import operations
from transproc.cluster.operations import Context
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError


def open_plans(store: JobStore) -> list[PlanRecord]:
    """Plans that have no end: under way, or cut off."""
    return [plan for plan in records.plans(store) if plan.result is None]


def recover(context: Context, plan: PlanRecord) -> str | None:
    """Settles a plan unless somebody carries it out; returns what was found, in one line.

    Raises `TransprocError` for a job that cannot be settled now: the plan stays as it is, and the next call tries again.
    """
    with records.lock(context.store, plan.number) as mine:
        if not mine or records.plans(context.store, str(plan.number))[-1].result is not None:
            return None
        outcome = _settle(context, plan.number)
        records.finish(context.store, plan.number, Result.CUT_OFF, outcome)
        return f"plan {plan.name} ({plan.number}) was cut off" + (f": {outcome}" if outcome else "")


def _settle(context: Context, number: int) -> str:
    """Each of its jobs: one that cannot be settled now holds up none of the others."""
    words, errors = [], []
    for name in records.jobs(context.store, number):
        try:
            words += _let_go(context, name)
        except TransprocError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return "; ".join(words)


def _let_go(context: Context, name: str) -> list[str]:
    """What became of one; nothing of one that had not begun."""
    if name in context.store.names():
        operations.recover(context, name)
    if name not in context.store.names():
        return []
    job = context.store.load(name)
    return [describe(operations.resume(context, name) if job.stopped else job)]

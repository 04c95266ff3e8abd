# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A plan that did not come to its end goes on, in the same log."""

from __future__ import annotations

import time
from collections.abc import Mapping

from transproc.automation.plans import planning, records
from transproc.automation.plans.checked import Checked
from transproc.automation.plans.executor import Executor, Outcome
from transproc.automation.plans.progress import Progress, progress
from transproc.automation.plans.records import PlanRecord, Result
from transproc.automation.plans.replay import step_at
from transproc.cluster import operations
from transproc.cluster.job import Job
from transproc.cluster.operations import Context
from transproc.errors import BusyError, MissingError, TransprocError
from transproc.host import Host


def prepared(record: PlanRecord, host: Host, mapping: Mapping[str, str]) -> Checked:
    """The plan as it was, with its nodes as they were or as `mapping` says, and its programs as they are now."""
    plan, found = planning.of_record(record)
    checked = planning.checked(plan, found, host, {**record.mapping(plan), **mapping})
    checked.labelled = planning.labelled(plan, mapping)
    return checked


def resume(record: PlanRecord, plan: Checked, host: Host, context: Context) -> Outcome:
    """Goes on with the step after the last one that was settled; conditions are looked at again.

    Raises `TransprocError` if the plan has come to its end, somebody carries it out, or one of its jobs cannot be settled now.
    """
    plan.expect_good()
    with records.lock(context.store, record.number) as mine:
        if not mine:
            raise BusyError(f"plan {record.number}: another transproc command is working on it")
        now = records.plan(context.store, record.number)
        if now.result == Result.DONE:
            raise TransprocError(
                f"plan {record.number}: has come to its end", hint=f"'transproc plan replay {record.number}'"
            )
        names = records.called(context.store, record.number)
        jobs = _settled(context, names)
        done = records.steps(context.store, record.number)

        def target(place: str) -> str | None:
            return plan.nodes.get(step_at(plan.plan.main, place).on or "")

        found = progress(done, jobs, time.time() - record.started, target)
        log = records.Log(context.store, record.number)
        log.go_on(_where(found))
        executor = Executor(plan, host, context, log, progress=found)
        executor.steps.remember({job: name for job, name in names.items() if job in jobs})
        return executor.run()


def _settled(context: Context, names: Mapping[str, str]) -> dict[str, Job]:
    """The plan's jobs by its names for them, after what was under way with each has been settled."""
    found = {}
    for job, name in names.items():
        try:
            operations.recover(context, name)
            found[job] = context.store.load(name)
        except MissingError:  # it had not begun
            continue
    return found


def _where(found: Progress) -> str:
    under_way = ", ".join(sorted(found.under_way)) or "none"
    return f"{len(found.settled)} steps are settled; begun and not settled: {under_way}"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tasks: their records, their end, and calling them off."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from transproc.controller.api.access import Caller, Controller, Operator
from transproc.controller.api.models import TaskList, TaskModel
from transproc.controller.api.operations import LONGEST_KEY, Wait

router = APIRouter(tags=["tasks"])
Number = Annotated[int, Path(ge=1, le=1 << 62, description="The task's number.")]


@router.get("/tasks", operation_id="list_tasks")
async def tasks(
    *,
    service: Controller,
    token: Caller,
    key: Annotated[
        str | None,
        Query(
            max_length=LONGEST_KEY, description="Only what you have asked for with this `Idempotency-Key`."
        ),
    ] = None,
    job: Annotated[str | None, Query(max_length=40, description="Only tasks of this job.")] = None,
    before: Annotated[int | None, Query(ge=1, le=1 << 62, description="Only tasks before this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TaskList:
    """What was asked for, by whom, and how it has ended; latest first."""
    if key is not None:
        known = await service.ask(service.tasks.records.known, token.name, key)
        return TaskList(tasks=[TaskModel.model_validate(known)] if known else [])
    found = await service.ask(service.tasks.recent, job=job, limit=limit, before=before)
    return TaskList(tasks=[TaskModel.model_validate(task) for task in found])


@router.get("/tasks/{number}", operation_id="show_task")
async def task(service: Controller, _: Caller, number: Number, wait: Wait = 0.0) -> TaskModel:
    """One task."""
    if wait:
        return TaskModel.model_validate(await service.tasks.end_of(number, wait))
    return TaskModel.model_validate(await service.ask(service.tasks.load, number))


@router.post("/tasks/{number}/cancel", operation_id="cancel_task")
async def cancel(service: Controller, _: Operator, number: Number) -> TaskModel:
    """Calls a task off: after the step under way everything is taken back. One that has ended stays as it is.

    Needs the role *operate*.
    """
    return TaskModel.model_validate(await service.ask(service.tasks.cancel, number))

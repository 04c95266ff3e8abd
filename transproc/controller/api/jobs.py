# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of jobs."""

from __future__ import annotations

from bisect import bisect_right
from typing import Annotated

from fastapi import APIRouter, Path, Query

from transproc.cluster.job import Job, State
from transproc.controller.api.access import Caller, Controller
from transproc.controller.api.models import AttemptModel, JobDetail, JobList, JobModel
from transproc.controller.service import Service
from transproc.errors import MissingError, TransprocError

router = APIRouter(tags=["jobs"])
Name = Annotated[str, Path(max_length=40, description="The job's name.")]


@router.get("/jobs", operation_id="list_jobs")
async def jobs(
    service: Controller,
    _: Caller,
    state: Annotated[list[State] | None, Query(description="Only jobs in one of these states.")] = None,
    node: Annotated[str | None, Query(max_length=100, description="Only jobs on this node.")] = None,
    after: Annotated[
        str, Query(max_length=40, description="Only jobs whose names come after this one.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> JobList:
    """The jobs by name, a page at a time."""
    return await service.ask(_page, service, set(state or State), node, after, limit)


def _page(service: Service, states: set[State], node: str | None, after: str, limit: int) -> JobList:
    last = service.stream.last
    listed = service.reader.jobs()
    damaged = [entry.name for entry in listed if entry.job is None]
    found = [
        entry.job
        for entry in listed
        if entry.job is not None and entry.job.state in states and node in (None, entry.job.node)
    ]
    start = bisect_right(found, after, key=lambda job: job.name)
    page = found[start : start + limit]
    more = page[-1].name if start + limit < len(found) else None
    models = [JobModel.model_validate(job) for job in page]
    return JobList(
        jobs=models, total=len(found), damaged=damaged, next=more, stream=service.stream.mark(last)
    )


@router.get("/jobs/{name}", operation_id="show_job")
async def job(service: Controller, _: Caller, name: Name) -> JobDetail:
    """One job with all that was begun with it."""
    return await service.ask(_detail, service, name)


def _detail(service: Service, name: str) -> JobDetail:
    found: Job = service.store.load(name)
    attempts = [AttemptModel.model_validate(attempt) for attempt in service.reader.attempts(name)]
    task = next((task.number for task in service.tasks.live() if task.job == name), None)
    return JobDetail(**JobModel.model_validate(found).model_dump(), attempts=attempts, task=task)


@router.get("/history", operation_id="history")
async def history(
    service: Controller,
    _: Caller,
    kind: Annotated[str, Query(max_length=40, description="Of attempts.")] = "migrate",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[AttemptModel]:
    """What of a kind was begun with any job, latest first."""
    found = await service.ask(service.reader.recent, kind, limit)
    return [AttemptModel.model_validate(attempt) for attempt in found]


def expect_job(service: Service, name: str) -> Job:
    """The record of a job; raises `MissingError` also for what cannot be a job's name."""
    try:
        return service.store.load(name)
    except TransprocError as error:
        raise MissingError(error.message, hint=error.hint) from error

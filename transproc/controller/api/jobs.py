# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of jobs."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from transproc.cluster.job import Job, State
from transproc.cluster.watch import refresh
from transproc.controller.api.access import Caller, Controller
from transproc.controller.api.models import AttemptModel, JobDetail, JobList, JobModel
from transproc.controller.service import Service
from transproc.errors import NodeError, TransprocError

router = APIRouter(tags=["jobs"])
PIECE = 1 << 20
FOLLOW_SECONDS = 0.3
"""Between two looks at a log that somebody follows."""
Name = Annotated[str, Path(max_length=40, description="The job's name.")]


@router.get("/jobs", operation_id="list_jobs", response_model=JobList)
async def jobs(
    service: Controller,
    _: Caller,
    state: Annotated[list[State] | None, Query(description="Only jobs in one of these states.")] = None,
    node: Annotated[str | None, Query(max_length=100, description="Only jobs on this node.")] = None,
    after: Annotated[
        str, Query(max_length=40, description="Only jobs whose names come after this one.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Response:
    """The jobs by name, a page at a time."""
    text = await service.ask(_page, service, set(state or State), node, after, limit)
    return Response(text, media_type="application/json")


def _page(service: Service, states: set[State], node: str | None, after: str, limit: int) -> str:
    """As JSON, which is made here: thousands of jobs would hold up every other request."""
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
    mark = service.stream.mark(last)
    return JobList(jobs=models, total=len(found), damaged=damaged, next=more, stream=mark).model_dump_json()


@router.get("/jobs/{name}", operation_id="show_job")
async def job(
    service: Controller,
    _: Caller,
    name: Name,
    ask: Annotated[bool, Query(description="Ask the node first whether it has ended.")] = False,
) -> JobDetail:
    """One job with all that was begun with it."""
    if ask:
        found = await service.ask(service.store.load, name)
        with contextlib.suppress(TransprocError):
            await service.ask_node(lambda: refresh(service.store, found, service.host.place(found)))
    return await service.ask(_detail, service, name)


def _detail(service: Service, name: str) -> JobDetail:
    found: Job = service.store.load(name)
    attempts = [AttemptModel.model_validate(attempt) for attempt in service.reader.attempts(name)]
    task = next((task.number for task in service.tasks.live() if task.job == name), None)
    return JobDetail(**JobModel.model_validate(found).model_dump(), attempts=attempts, task=task)


@router.get(
    "/jobs/{name}/log",
    operation_id="log",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def log(
    *,
    service: Controller,
    _: Caller,
    name: Name,
    stream: Annotated[Literal["stdout", "stderr"], Query(description="Which one.")] = "stdout",
    offset: Annotated[int, Query(ge=0, le=1 << 60, description="In bytes.")] = 0,
    follow: Annotated[bool, Query(description="Go on until the job ends, also when it moves.")] = False,
) -> StreamingResponse:
    """What a job has printed, from an offset on."""
    first = await service.ask_node(read_log, service, name, stream, offset)
    return StreamingResponse(
        _log(service, name, stream, offset, first, follow=follow), media_type="application/octet-stream"
    )


def read_log(service: Service, name: str, stream: str, offset: int) -> tuple[bytes, bool]:
    """The next piece, at most PIECE bytes, and whether the job had ended before."""
    found = service.store.load(name)
    place = service.host.place(found)
    ended = refresh(service.store, found, place).state is State.EXITED
    return place.read(stream, offset, PIECE), ended


async def _log(
    service: Service, name: str, stream: str, offset: int, first: tuple[bytes, bool], *, follow: bool
) -> AsyncIterator[bytes]:
    data, ended = first
    while not service.stream.closed:
        offset += len(data)
        if data:
            yield data
        if not data and ended:
            return
        if len(data) < PIECE and not follow:  # a job that prints without a pause has no other end
            return
        if not data:
            await asyncio.sleep(FOLLOW_SECONDS)
        try:
            data, ended = await service.ask_node(read_log, service, name, stream, offset)
        except NodeError:  # it may be moving, or its node away for a moment
            data = b""
            await asyncio.sleep(1)


@router.get("/history", operation_id="history")
async def history(
    service: Controller,
    _: Caller,
    kind: Annotated[
        str | None, Query(max_length=40, description="Only of this kind, such as `migrate`.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[AttemptModel]:
    """What was begun with any job, latest first."""
    reader = service.reader
    found = await (service.ask(reader.recent, kind, limit) if kind else service.ask(reader.latest, limit))
    return [AttemptModel.model_validate(attempt) for attempt in found]

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pages hear while they are open: that something has changed, not what. And a job's output, piece by piece."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response, StreamingResponse

from transproc.cluster.job import Job
from transproc.cluster.place import Place
from transproc.controller.api.events import MOST_LISTENERS
from transproc.controller.stream import Event
from transproc.controller.taskrecords import TaskState
from transproc.controller.tokens import Token
from transproc.controller.web.frame import HEADERS, Looking, Route
from transproc.controller.web.pages import listed
from transproc.controller.web.state import Web, web_of
from transproc.controller.web.text import duration
from transproc.errors import MissingError

GATHER = 0.1
"""Seconds: what happens within them is told at once."""
IDLE = 1.0
"""Seconds until the records are looked at though nothing was heard."""
MANY = 50
"""Jobs that are told by name; when more have changed, all are meant."""
END = 64 << 10
"""Bytes of a job's output that a page begins with."""
PIECE = 256 << 10
"""The most that it is given at once."""

router = APIRouter(include_in_schema=False, route_class=Route)
State = Annotated[Web, Depends(web_of)]


@router.get("/web/events")
async def events(who: Looking, web: State) -> Response:
    """Server-sent events: `change` with the jobs and whether nodes have, `task` when one of the visitor's has ended."""
    if web.service.listeners >= MOST_LISTENERS:
        raise HTTPException(503, "too many pages are open")
    return StreamingResponse(_counted(web, who.token), media_type="text/event-stream", headers=dict(HEADERS))


async def _counted(web: Web, token: Token) -> AsyncIterator[str]:
    web.service.listeners += 1
    try:
        async for text in _tell(web, token):
            yield text
    finally:
        web.service.listeners -= 1


async def _tell(web: Web, token: Token) -> AsyncIterator[str]:
    service, survey = web.service, web.survey
    last = service.stream.last  # what happens while the page hears of the beginning counts
    stamp, version = await service.ask(service.reader.stamp), survey.version
    yield "retry: 1000\n\n" + _event("change", {"jobs": None, "nodes": True})
    async for happened in service.stream.listen(last, IDLE):
        if not happened and await service.ask(service.tokens.by_id, token.id) is None:
            return  # removed, or expired
        before, known = stamp, version
        stamp, version = await service.ask(service.reader.stamp), survey.version
        await service.ask(survey.ask)
        nodes = version != known
        if happened or nodes:
            yield "".join(_told(happened, nodes, token.name))
            await asyncio.sleep(GATHER)
        elif stamp != before:  # a command of this host has recorded something
            yield _event("change", {"jobs": None, "nodes": False})
        else:
            yield ": still here\n\n"


def _told(happened: Iterable[Event], nodes: bool, name: str) -> Iterable[str]:
    jobs: set[str] = set()
    everything = False
    for event in happened:
        everything |= event.kind == "reset"
        nodes |= event.kind == "node"
        if job := event.data.get("job") or (event.data.get("name") if event.kind == "job" else None):
            jobs.add(str(job))
        if event.kind == "task" and event.data["who"] == name and (said := outcome(event.data)):
            yield _event("task", said)
    names = None if everything or len(jobs) > MANY else sorted(jobs)
    yield _event("change", {"jobs": names, "nodes": nodes})


def outcome(task: dict[str, Any]) -> dict[str, Any] | None:
    """What is said of a task that has ended; None for one that has not."""
    state, job, kind, error = TaskState(task["state"]), task["job"], task["kind"], task["error"] or {}
    if not state.ended:
        return None
    if state is TaskState.DONE:
        result = task["result"] if isinstance(task["result"], dict) else {}
        message = f"{kind} {job}: done" if job else f"{kind}: done"
        if kind == "migrate":
            message = (
                f"{job} runs on {result.get('target')}; downtime {duration(result.get('downtime') or 0.0)}"
            )
        return {"message": message, "good": True}
    message = str(error.get("message", state))
    return {
        "message": message if job and job in message else f"{kind} {job or ''}: {message}",
        "hint": error.get("hint"),
        "good": False,
    }


def _event(kind: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


@router.get("/web/jobs/{name}/log/{stream}")
async def log(
    who: Looking,
    web: State,
    name: str,
    stream: str,
    offset: Annotated[int, Query(ge=-1, le=1 << 60)] = -1,
) -> Response:
    """What a job has printed from a byte on, or for -1 the last part. `X-Offset`: where it goes on."""
    if stream not in ("stdout", "stderr"):
        raise HTTPException(404, f"{stream}: there is no such stream")
    found = await who.service.ask(listed, who, name)
    if found.job is None:
        raise MissingError(f"job {name}: its record cannot be read")
    data, following = await who.service.ask_node(_read, web, found.job, stream, offset)
    headers = {**HEADERS, "X-Offset": str(following)}
    return Response(data, media_type="text/plain; charset=utf-8", headers=headers)


def _read(web: Web, job: Job, stream: str, offset: int) -> tuple[bytes, int]:
    place: Place = web.service.host.place(job)
    if offset < 0:
        size = place.sizes([f"{place.data}/{stream}"])[0] or 0
        offset = max(0, size - END)
    data = place.read(stream, offset, PIECE)
    return data, offset + len(data)

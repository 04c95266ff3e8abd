# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What happens, as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query
from fastapi.responses import StreamingResponse

from transproc.controller.api.access import Caller, Controller
from transproc.controller.service import Service
from transproc.controller.stream import Event, encoded
from transproc.controller.tokens import Token

IDLE_SECONDS = 15.0
"""A line of comment comes so often: who listens, and proxies, see that the connection is alive."""
MOST_LISTENERS = 500

router = APIRouter(tags=["events"])


@router.get(
    "/events",
    operation_id="listen",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def listen(
    *,
    service: Controller,
    token: Caller,
    task: Annotated[int | None, Query(ge=1, description="Only events of this task; ends with it.")] = None,
    job: Annotated[str | None, Query(max_length=40, description="Only events of this job.")] = None,
    since: Annotated[
        str | None, Query(max_length=40, description="As `Last-Event-ID`, for who cannot set headers.")
    ] = None,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
) -> StreamingResponse:
    """Server-sent events from now on, or after the one that `Last-Event-ID` names.

    Kinds: `task` (its record), `step` (task, job, name, step: its number in the task, inside: that of the step around it, beside:
    others are under way, state: begun, done or failed, seconds, detail), `note` (task, job, message, inside, beside), `job` (its
    record, or `removed`), `node` (name, up, …), and `reset`: events were lost, look at everything again.
    """
    mark = last_event_id or since
    position = service.stream.position(mark)
    if service.listeners >= MOST_LISTENERS:
        raise HTTPException(503, "too many listeners", {"Retry-After": "5"})
    lost = mark is not None and position is None
    events = _of_a_task(service, token, task, position) if task else _all(service, token, job, position, lost)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _all(
    service: Service, token: Token, job: str | None, position: int | None, lost: bool
) -> AsyncIterator[str]:
    last = service.stream.last
    if lost:
        yield encoded(service.stream, Event(last, "reset", {}, time.time()))
    async for events in _listen(service, token, last if position is None else position):
        yield _text(service, [event for event in events if _is_of(event, job)])


async def _of_a_task(service: Service, token: Token, number: int, position: int | None) -> AsyncIterator[str]:
    """What happens in one task, until its record says that it has ended."""
    last = service.stream.last if position is None else position
    task = await service.tasks.end_of(number, 0)
    ended = task.state.ended  # the task goes on while its events are sent
    async for events in _listen(service, token, last):
        wanted = [event for event in events if number in (event.data.get("task"), event.data.get("number"))]
        yield _text(service, wanted)
        if any(event.kind == "task" and event.data["state"].ended for event in wanted):
            return
        if ended:  # before that
            yield encoded(service.stream, Event(service.stream.last, "task", {**vars(task)}, time.time()))
            return
        task = await service.tasks.end_of(number, 0)
        ended = task.state.ended


async def _listen(service: Service, token: Token, position: int) -> AsyncIterator[list[Event]]:
    service.listeners += 1
    try:
        known = service.stream.after(position)
        yield known
        last = known[-1].number if known else position
        async for events in service.stream.listen(last, IDLE_SECONDS):
            if not events and await service.ask(service.tokens.by_id, token.id) is None:
                return  # removed, or expired
            yield events
    finally:
        service.listeners -= 1


def _text(service: Service, events: list[Event]) -> str:
    """A comment if there is none: the connection lives."""
    return "".join(encoded(service.stream, event) for event in events) or ": \n\n"


def _is_of(event: Event, job: str | None) -> bool:
    return job is None or event.kind == "reset" or job in (event.data.get("job"), event.data.get("name"))

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job's terminal: what it prints as a stream of frames, and what its user types, each byte once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from transproc.controller.api.access import Controller, Operator
from transproc.controller.api.frames import END, HEAD, OUTPUT
from transproc.controller.api.jobs import Name
from transproc.controller.service import Service
from transproc.controller.terminals import Conversation
from transproc.controller.tokens import Token
from transproc.process.launch import Window

IDLE_SECONDS = 15.0
"""An empty frame comes so often: who listens sees that the connection is alive."""
MOST_TYPED = 1 << 16
"""Bytes of one request."""

router = APIRouter(tags=["terminals"])
Identity = Annotated[str, Path(max_length=16, description="The conversation's id.")]
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class WindowModel(BaseModel):
    """The size of a terminal, in characters."""

    rows: Annotated[int, Field(ge=1, le=65535)]
    columns: Annotated[int, Field(ge=1, le=65535)]


class Beginning(BaseModel):
    """How a conversation begins."""

    model_config = ConfigDict(extra="forbid")

    offset: Annotated[
        int | None,
        Field(ge=0, le=1 << 60, description="In what the job has printed; null: from now on."),
    ] = None
    window: WindowModel | None = Field(None, description="The user's; null: the job's stays as it is.")


class TerminalModel(BaseModel):
    """A conversation."""

    id: str
    offset: int = Field(description="In what the job has printed, where it begins.")


class TypedModel(BaseModel):
    """How many bytes have been typed since the conversation began."""

    typed: int


@router.post("/jobs/{name}/terminal", operation_id="begin_terminal", status_code=201)
async def begin(service: Controller, token: Operator, name: Name, words: Beginning) -> TerminalModel:
    """Begins a conversation with a job that was started with a terminal. Needs the role *operate*.

    It goes on when the job moves and when the connection breaks, and ends a minute after nobody listens any more.
    """
    window = Window(words.window.rows, words.window.columns) if words.window else None
    made = await service.ask_node(service.terminals.begin, name, token.id, words.offset, window)
    return TerminalModel(id=made.id, offset=made.begin)


@router.get(
    "/terminals/{identity}",
    operation_id="listen_terminal",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def listen(
    service: Controller,
    token: Operator,
    identity: Identity,
    offset: Annotated[int, Query(ge=0, le=1 << 60, description="In what the job has printed.")],
) -> StreamingResponse:
    """What the job prints, in frames: a letter, four bytes of length with the highest first, and so many bytes.

    `o`: what was printed (an empty one every 15 s at least). `e`: the end, in JSON, with `job`, its record, or `error`. 404: what
    was shown at that offset is kept no more: begin another conversation there. Needs the role *operate*.
    """
    found = service.terminals.find(identity, token.id)
    found.expect(offset)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _frames(service, token, found, offset), media_type="application/octet-stream", headers=headers
    )


async def _frames(
    service: Service, token: Token, conversation: Conversation, offset: int
) -> AsyncIterator[bytes]:
    async for data in conversation.listen(offset, IDLE_SECONDS):
        if not data and await service.ask(service.tokens.by_id, token.id) is None:
            service.terminals.end(conversation)  # removed, or expired
            return
        yield HEAD.pack(OUTPUT, len(data)) + data
    if conversation.result is not None:
        service.terminals.end(conversation)
        text = json.dumps(conversation.result).encode()
        yield HEAD.pack(END, len(text)) + text


@router.put(
    "/terminals/{identity}/typed",
    operation_id="type_terminal",
    openapi_extra={"requestBody": {"required": True, **_BODY}},
)
async def typed(
    *,
    service: Controller,
    token: Operator,
    request: Request,
    identity: Identity,
    at: Annotated[int, Query(ge=0, le=1 << 60, description="How many bytes were typed before these.")],
) -> TypedModel:
    """Types the body; bytes that have come before are not typed again. The answer says how many are typed by now.

    Needs the role *operate*.
    """
    found = service.terminals.find(identity, token.id)
    data = await request.body()
    if len(data) > MOST_TYPED:
        raise HTTPException(413, f"more than {MOST_TYPED} bytes")
    return TypedModel(typed=found.type(data, at))


@router.put("/terminals/{identity}/window", operation_id="resize_terminal", status_code=204)
async def resize(service: Controller, token: Operator, identity: Identity, window: WindowModel) -> None:
    """The user's terminal has another size. Needs the role *operate*."""
    service.terminals.find(identity, token.id).resize(Window(window.rows, window.columns))


@router.delete("/terminals/{identity}", operation_id="end_terminal", status_code=204)
async def end(service: Controller, token: Operator, identity: Identity) -> None:
    """The user leaves; the job goes on. Needs the role *operate*."""
    await service.ask(service.terminals.end, service.terminals.find(identity, token.id))

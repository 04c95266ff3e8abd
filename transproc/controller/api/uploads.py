# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs are sent in parts, each as the plain body of a request."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from fastapi import Path as InPath

from transproc.controller.api.access import Controller, Operator
from transproc.controller.api.models import UploadModel
from transproc.controller.uploads import MOST_BYTES

STALL_SECONDS = 30.0
"""A client that sends nothing for so long has gone."""

router = APIRouter(tags=["uploads"])
Identity = Annotated[str, InPath(max_length=16)]
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.post("/uploads", operation_id="begin_upload", status_code=201)
async def begin(service: Controller, token: Operator) -> UploadModel:
    """Begins an upload, which is used once, within an hour, by the same token. Needs the role *operate*."""
    return UploadModel(id=await service.ask(service.uploads.begin, token.id), parts=[])


@router.put(
    "/uploads/{identity}/{part}",
    operation_id="upload_part",
    status_code=204,
    openapi_extra={"requestBody": {"required": True, **_BODY}},
)
async def put(
    service: Controller,
    token: Operator,
    request: Request,
    identity: Identity,
    part: Annotated[str, InPath(max_length=16, description="x86_64, aarch64, stdin or files.")],
) -> None:
    """Sends a part: `x86_64` and `aarch64` (the program's pair), `stdin`, or `files`, a tar archive of one directory.

    Needs the role *operate*.
    """
    draft = await service.ask(service.uploads.part, identity, token.id, part)
    try:
        await _receive(request, draft)
        await service.ask_node(service.uploads.finish, draft)
    finally:
        draft.unlink(missing_ok=True)


async def _receive(request: Request, draft: Path) -> None:
    left, pieces = MOST_BYTES, aiter(request.stream())
    with draft.open("xb") as file:
        while True:
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise HTTPException(408, f"nothing came for {STALL_SECONDS:g} s") from None
            if piece is None:
                return
            left -= len(piece)
            if left < 0:
                raise HTTPException(413, f"a part may have {MOST_BYTES} bytes")
            await asyncio.to_thread(file.write, piece)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Around every request: how much a client may send, and how long that may take; and the headers that every answer has."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY = 1 << 20
"""Bytes of a request; programs are sent by uploads, which have a limit of their own."""
BODY_SECONDS = 20.0
"""From a request's head to the end of its body."""
UPLOADS = "/api/v1/uploads"

log = logging.getLogger(__name__)
CLOSE = {"Connection": "close"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""An answer that sets one of them itself keeps its own."""


class Bounds:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        began, status = time.monotonic(), 0
        state = scope.setdefault("state", {})

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, scope["path"])
            await send(message)

        bounded = receive if scope["path"].startswith(UPLOADS) else _bounded(receive)
        try:
            await self._app(scope, bounded, answer)
        finally:
            words = {"method": scope["method"], "path": scope["path"], "status": status}
            words |= {"client": (scope.get("client") or [""])[0], "who": state.get("who", "")}
            log.info("request", extra={**words, "seconds": round(time.monotonic() - began, 4)})


def _bounded(receive: Receive) -> Receive:
    left, until, ended = MOST_BODY, asyncio.get_running_loop().time() + BODY_SECONDS, False

    async def bounded() -> Message:
        nonlocal left, ended
        if ended:  # what comes now is the client's leaving, which has no bound
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the request did not end within {BODY_SECONDS:g} s", CLOSE) from None
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            ended = not message.get("more_body", False)
        if left < 0:
            raise HTTPException(413, f"the request has more than {MOST_BODY} bytes", CLOSE)
        return message

    return bounded


def _add_headers(message: Message, path: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if path.startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")

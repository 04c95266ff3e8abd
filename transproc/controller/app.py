# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The HTTP application of a controller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from transproc import __version__
from transproc.controller.api import (
    events,
    jobs,
    looks,
    nodes,
    operations,
    plans,
    policy,
    tasks,
    terminals,
    uploads,
)
from transproc.controller.api.access import Caller, Controller
from transproc.controller.api.models import Failure, Health, Identity
from transproc.controller.bounds import Bounds
from transproc.controller.service import Service
from transproc.controller.web.mount import mount
from transproc.errors import BusyError, ConflictError, MissingError, NodeError, StoreError, TransprocError

PREFIX = "/api/v1"
_STATUS: tuple[tuple[type[TransprocError], int], ...] = (
    (MissingError, 404),
    (BusyError, 409),
    (ConflictError, 409),
    (StoreError, 503),
    (NodeError, 502),
)
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Failure, "description": "What was asked for cannot be, and why."},
    "5XX": {"model": Failure, "description": "A node or the records cannot be reached."},
}


def create_app(service: Service) -> FastAPI:
    """The application; it does not end the service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.stream.close()

    app = FastAPI(
        title="transproc controller",
        version=__version__,
        summary="Live migration of native Linux processes between x86_64 and aarch64.",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        lifespan=lifespan,
        responses=_ERRORS,
    )
    app.state.service = service
    for part in (jobs, tasks, nodes, looks, plans, operations, uploads, terminals, policy, events):
        app.include_router(part.router, prefix=PREFIX)
    app.add_api_route("/health", _health, tags=["controller"], operation_id="health")
    app.add_api_route(
        "/metrics", _metrics, tags=["controller"], operation_id="metrics", response_class=PlainTextResponse
    )
    app.add_api_route(f"{PREFIX}/me", _me, tags=["controller"], operation_id="me")
    app.add_exception_handler(TransprocError, _failed)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(Exception, _defect)
    mount(app, service)
    app.add_middleware(Bounds)
    return app


_ABOUT = """
Every request but `/health` needs a token (`Authorization: Bearer …`), made by `transproc token add` on the controller's host.

What works on jobs is a *task*: the answer is its record, with status 202 while it is under way. `wait=SECONDS`
holds the answer back until its end; `/events?task=N` tells its steps. A task that has failed says what became of the process.
"""


async def _health() -> Health:
    """Whether the controller answers; needs no token."""
    return Health(status="ok", version=__version__)


async def _metrics(service: Controller, _: Caller) -> PlainTextResponse:
    """For Prometheus, in its text format."""
    return PlainTextResponse(await service.ask(service.metrics.text), media_type=CONTENT_TYPE_LATEST)


async def _me(token: Caller) -> Identity:
    """Whom the token stands for."""
    return Identity.model_validate(token)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TransprocError)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 422)
    return _answer(status, error.message, error.hint, error.exit_status, type(error).__name__)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = _answer(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:10]]
    return _answer(422, "; ".join(found), exit_status=2)


async def _defect(_: Request, error: Exception) -> JSONResponse:
    """What nobody expected; the server logs it with its traceback."""
    return _answer(500, f"internal error: {type(error).__name__}")


def _answer(
    status: int, message: str, hint: str | None = None, exit_status: int = 1, kind: str | None = None
) -> JSONResponse:
    trouble = {"message": message, "hint": hint, "exit_status": exit_status, "type": kind}
    return JSONResponse({"error": trouble}, status)

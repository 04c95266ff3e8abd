# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pages by which a job begins: from a program that the controller's host knows, or from a checkpoint."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, RedirectResponse, Response

from transproc.cluster import checkpoints
from transproc.cluster.node import LOCAL
from transproc.cluster.operations.checkpoint import place
from transproc.controller.requests.base import Request
from transproc.controller.requests.start import Restart, Run
from transproc.controller.tokens import Role
from transproc.controller.web import views
from transproc.controller.web.frame import HEADERS, Operating, Route, form, page, wants_json
from transproc.controller.web.state import Web, web_of
from transproc.errors import TransprocError

BEGIN_SECONDS = 30.0
"""A start has ended by then, or goes on without the form."""
LONGEST = 8000
"""Characters of a word of the form."""
SHOWN = 200
"""Checkpoints and programs that are offered."""

router = APIRouter(include_in_schema=False, route_class=Route)
State = Annotated[Web, Depends(web_of)]


@router.get("/start")
async def start(request: HttpRequest, who: Operating, web: State) -> Response:
    """Which program, where."""

    def gather() -> dict[str, Any]:
        jobs = [one.job for one in who.service.reader.jobs() if one.job is not None]
        programs: dict[str, str] = {}
        for job in sorted(jobs, key=lambda job: -job.started):
            programs.setdefault(job.program, job.name)
        return {"programs": dict(list(programs.items())[:SHOWN]), "cards": _cards(who, web)}

    admin = who.token.role.includes(Role.ADMIN)
    return page(request, "start.html", who=who, admin=admin, **await who.service.ask(gather))


@router.get("/checkpoints")
async def listing(request: HttpRequest, who: Operating) -> Response:
    """The controller's own, latest first."""

    def gather() -> dict[str, Any]:
        found = []
        for path in checkpoints.all_in(place(who.service.store)):
            try:
                found.append(checkpoints.read(path))
            except TransprocError:  # `transproc inspect` says what is wrong with it
                continue
        found.sort(key=lambda one: -one.manifest.taken)
        return {"found": found[:SHOWN], "more": len(found) > SHOWN}

    return page(request, "checkpoints.html", who=who, **await who.service.ask_node(gather))


@router.get("/restart")
async def restart(
    request: HttpRequest, who: Operating, web: State, directory: Annotated[str, Query(max_length=4096)]
) -> Response:
    """Where, and by which name."""

    def gather() -> dict[str, Any]:
        found = checkpoints.read(Path(directory.replace("\0", "")))
        return {
            "found": found,
            "cards": _cards(who, web),
            "taken": found.manifest.name in who.service.store.names(),
        }

    return page(request, "restart.html", who=who, **await who.service.ask(gather))


def _cards(who: Operating, web: Web) -> list[views.NodeCard]:
    known = web.survey.known()
    cards = views.node_cards(known.nodes, known.facts, who.service.reader.jobs())
    return sorted(cards, key=lambda card: (card.status != "up", card.full, card.name == LOCAL, card.load))


@router.post("/start")
async def begin(request: HttpRequest, who: Operating) -> Response:
    """Makes a task."""
    words = await _words(request)
    try:
        arguments = shlex.split(words.get("arguments", ""))
    except ValueError as error:
        raise HTTPException(422, f"arguments: {str(error).lower()}") from error
    like, path = words.get("like") or None, words.get("program", "").strip()
    if like is None and not path:
        raise HTTPException(422, "choose a program")
    name = words.get("name", "").strip() or None
    wanted = Run("" if like else path, _node(words), arguments, name, like=like)
    return await _begun(request, who, wanted)


@router.post("/restart")
async def begin_again(request: HttpRequest, who: Operating) -> Response:
    """Makes a task."""
    words = await _words(request)
    name = words.get("name", "").strip() or None
    wanted = Restart(words.get("directory", ""), _node(words), name, force="force" in words)
    return await _begun(request, who, wanted)


async def _words(request: HttpRequest) -> dict[str, str]:
    words = dict(await form(request))
    if any(len(word) > LONGEST or "\0" in word for word in words.values()):
        raise HTTPException(422, "a word of the form is too long, or has a zero byte")
    return words


def _node(words: dict[str, str]) -> str:
    if not words.get("node"):
        raise HTTPException(422, "choose a node")
    return words["node"]


async def _begun(request: HttpRequest, who: Operating, wanted: Request) -> Response:
    """Its end is waited for a moment: what is wrong is said on the form."""
    task = await who.service.ask(who.service.submit, wanted, who.token)
    task = await who.service.tasks.end_of(task.number, BEGIN_SECONDS)
    if task.error is not None:
        raise TransprocError(str(task.error["message"]), hint=task.error.get("hint"))
    where = f"/jobs/{task.result['name']}" if task.state.ended else "/tasks"
    if wants_json(request):
        return JSONResponse({"message": "It has begun.", "go": where}, 202, headers=dict(HEADERS))
    return RedirectResponse(where, 303)

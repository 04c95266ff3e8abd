# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the page's forms do: each makes a request of the controller's, as the HTTP interface does, and a task of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, RedirectResponse, Response

from transproc.controller.requests.base import Request
from transproc.controller.requests.jobs import Kill, Pause, Recover, Resume
from transproc.controller.requests.move import Migrate
from transproc.controller.requests.start import Checkpoint
from transproc.controller.web.frame import HEADERS, Operating, Route, form, wants_json
from transproc.controller.web.stacks import Look
from transproc.controller.web.state import Web, web_of

router = APIRouter(include_in_schema=False, route_class=Route)
State = Annotated[Web, Depends(web_of)]
LONGEST = 1000
"""Characters of a word."""


@router.post("/jobs/{name}/cancel")
async def cancel(request: HttpRequest, who: Operating, web: State, name: str) -> Response:
    """The task that works on the job stops, and takes everything back."""
    await form(request)
    task = web.live_task(name)
    if task is None:
        raise HTTPException(409, f"job {name}: no task of this controller works on it")
    await who.service.ask(who.service.tasks.cancel, task.number)
    return _answer(
        request, name, f"{task.kind} of {name} stops after the step under way, and takes everything back."
    )


@router.post("/jobs/{name}/{action}")
async def act(request: HttpRequest, who: Operating, web: State, name: str, action: str) -> Response:
    """Makes a task."""
    words = await form(request)
    if any(len(word) > LONGEST for word in words.values()):
        raise HTTPException(422, "a word of the form is too long")
    wanted = _request(web, name, action, words)
    await who.service.ask(who.service.submit, wanted, who.token)
    return _answer(request, name, _SAID[wanted.kind].format(name=name, to=words.get("to", "")))


_SAID = {
    "migrate": "{name} goes to {to}.",
    "pause": "{name} is paused.",
    "resume": "{name} goes on.",
    "kill": "{name} is ended.",
    "recover": "What was cut off with {name} is settled.",
    "checkpoint": "A checkpoint of {name} is written.",
    "look": "{name} stops for a moment, to be looked at.",
}


def _request(web: Web, name: str, action: str, words: Mapping[str, str]) -> Request:
    if action == "migrate":
        if not words.get("to"):
            raise HTTPException(422, "choose a node")
        at = words.get("at", "").strip() or None
        return Migrate(
            name,
            words["to"],
            at=at,
            timeout=_seconds(words.get("timeout", "")),
            keep="keep" in words,
            tcp_close="tcp_close" in words,
        )
    if action == "kill":
        return Kill(name, remove="remove" in words)
    if action == "checkpoint":
        return Checkpoint(name)
    if action == "look":
        return Look(name, web.stacks)
    simple: dict[str, type[Pause | Resume | Recover]] = {"pause": Pause, "resume": Resume, "recover": Recover}
    if action not in simple:
        raise HTTPException(404, f"{action}: there is no such action")
    return simple[action](name)


def _seconds(word: str) -> float:
    """Of a pause."""
    try:
        seconds = float(word or 10.0)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= 86400.0:
        raise HTTPException(422, f"timeout {word!r}: expected seconds, at most a day")
    return seconds


def _answer(request: HttpRequest, name: str, message: str) -> Response:
    if wants_json(request):
        return JSONResponse({"message": message}, 202, headers=dict(HEADERS))
    return RedirectResponse(f"/jobs/{name}", 303)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The pages that show something. Each reads the records once, in a thread, and takes milliseconds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from transproc.cluster import operations
from transproc.cluster.events import Silent, Token
from transproc.cluster.history import Listed
from transproc.cluster.job import State
from transproc.cluster.node import LOCAL
from transproc.cluster.phase import KIND
from transproc.cluster.store import Result
from transproc.controller.web import plots, timeline, views
from transproc.controller.web.frame import HEADERS, Looking, Operating, Route, page
from transproc.controller.web.state import Web, web_of
from transproc.errors import MissingError, NodeError

CARDS = 24
"""Nodes above the jobs; all are on a page of their own."""
FIRST = 0.7
"""Seconds that nodes have to answer before the first page of all is shown."""
ATTEMPTS = 30
"""Of a job, that are shown."""
PLOTTED = 200
LISTED = 25
"""Migrations on a page: each has a bar for each of its steps, and a page is there in 100 ms."""
TASKS = 100
CHECKPOINTS = 10
WRITTEN = 200
"""Checkpoints of a job at which a page looks whether they are still there."""

router = APIRouter(include_in_schema=False, route_class=Route)
State_ = Annotated[Web, Depends(web_of)]


@router.get("/")
async def jobs(request: Request, who: Looking, web: State_) -> Response:
    """Nodes and jobs."""
    query = views.Query.read(dict(request.query_params))
    if not web.survey.began:
        await who.service.ask_node(web.survey.ask, FIRST)

    def gather() -> dict[str, Any]:
        reader, known = who.service.reader, web.survey.known()
        listed = reader.jobs()
        cards = views.node_cards(known.nodes, known.facts, listed)
        found = _jobs(who, listed, query, known.isas)
        return {"cards": cards[:CARDS], "more_nodes": len(cards) if len(cards) > CARDS else 0, "list": found}

    return page(request, "jobs.html", who=who, **await who.service.ask(gather))


def _jobs(
    who: Looking, listed: Sequence[Listed], query: views.Query, isas: Mapping[str, str]
) -> views.JobList:
    reader = who.service.reader
    busy = reader.under_way()
    return views.job_list(listed, query, arrivals=reader.arrivals, under_way=busy, isas=isas, now=time.time())


@router.get("/nodes")
async def nodes(request: Request, who: Looking, web: State_) -> Response:
    """All nodes."""

    def gather() -> list[views.NodeCard]:
        known = web.survey.known()
        return views.node_cards(known.nodes, known.facts, who.service.reader.jobs())

    return page(request, "nodes.html", who=who, cards=await who.service.ask(gather))


@router.get("/nodes/{name}")
async def node(request: Request, who: Looking, web: State_, name: str) -> Response:
    """One node, and the jobs on it."""
    query = views.Query.read({**request.query_params, "node": name})

    def gather() -> dict[str, Any]:
        reader, known = who.service.reader, web.survey.known()
        listed = reader.jobs()
        card = next(
            (one for one in views.node_cards(known.nodes, known.facts, listed) if one.name == name), None
        )
        if card is None:
            raise MissingError(f"node {name}: there is none of that name")
        found = _jobs(who, listed, query, known.isas)
        return {"card": card, "facts": known.facts.get(name), "list": found, "up": card.status == "up"}

    return page(request, "node.html", who=who, **await who.service.ask(gather))


@router.get("/jobs/{name}")
async def job(
    request: Request,
    who: Looking,
    web: State_,
    name: str,
    log: Annotated[str, Query(max_length=10)] = "stdout",
) -> Response:
    """One job: its past, what is done with it, its output."""
    stream = "stderr" if log == "stderr" else "stdout"

    def gather() -> dict[str, Any]:
        found, known, now = listed(who, name), web.survey.known(), time.time()
        reader, live = who.service.reader, web.live_task(name)
        past = reader.attempts(name)
        arrivals, busy = (
            reader.arrivals([name]),
            {one.job: views.activity(one) for one in past if one.result is None},
        )
        row = views.job_row(found, known.isas, arrivals, busy, now)
        current = next((one for one in past if one.result is None), None)
        ended = [one for one in past if one is not current]
        return {
            "row": row,
            "job": found.job,
            "actions": views.job_actions(found.job, busy=current is not None),
            "current": current and timeline.attempt_view(current, now, live=web.at_work(name)),
            "cancel": live is not None,
            "history": [timeline.attempt_view(one, now) for one in ended[:ATTEMPTS]],
            "earlier": len(ended) > ATTEMPTS,
            "line": found.job and timeline.timeline(found.job, past, known.isas, now),
            "checkpoints": _kept(who.service.store.checkpoints(found.job) if found.job else []),
            "plots": plots.plots([one for one in past if one.kind == KIND]),
            "moves": sum(one.kind == KIND and one.result == Result.DONE for one in past),
            "stream": stream,
        }

    return page(request, "job.html", who=who, **await who.service.ask(gather))


def _kept(written: Sequence[Path]) -> list[str]:
    """Those of a job that are still there, the latest last."""
    return [str(path) for path in written[-WRITTEN:] if path.is_dir()][-CHECKPOINTS:]


def listed(who: Looking, name: str) -> Listed:
    """A job in the list. Raises `MissingError`."""
    found = next((one for one in who.service.reader.jobs() if one.name == name), None)
    if found is None:
        raise MissingError(f"job {name}: there is none of that name")
    return found


@router.get("/jobs/{name}/migrate")
async def migrate(request: Request, who: Operating, web: State_, name: str) -> Response:
    """Where to."""

    def gather() -> dict[str, Any]:
        found, known = listed(who, name), web.survey.known()
        cards = views.node_cards(known.nodes, known.facts, who.service.reader.jobs())
        if found.job is None or found.job.state not in (State.RUNNING, State.PAUSED):
            raise NodeError("", f"job {name} is neither running nor paused")
        here = found.job.node
        cards.sort(key=lambda card: (card.status != "up", card.full, card.name == LOCAL, card.load))
        best = next((card.name for card in cards if card.name != here and card.status == "up"), "")
        return {"job": found.job, "cards": cards, "here": here, "best": best}

    return page(request, "migrate.html", who=who, **await who.service.ask(gather))


@router.get("/web/jobs/{name}/forecast")
async def forecast(who: Operating, name: str, to: Annotated[str, Query(max_length=100)]) -> Response:
    """In a line: whether the job could move there now, and how long that would take."""
    host = who.service.host
    found = await who.service.ask_node(operations.forecast, host.context(Silent(), Token()), name, to)
    return JSONResponse({"message": views.forecast_text(found)}, headers=dict(HEADERS))


@router.get("/jobs/{name}/stacks")
async def stacks(request: Request, who: Operating, web: State_, name: str) -> Response:
    """What its functions are at, as far as there is an image to tell."""

    def gather() -> dict[str, Any]:
        found = listed(who, name)
        busy = web.at_work(name)
        seen = web.stacks.seen(name, at_work=busy)
        can_look = found.job is not None and found.job.state is State.RUNNING and not busy
        return {"name": name, "seen": seen, "can_look": can_look, "now": time.time()}

    return page(request, "stacks.html", who=who, **await who.service.ask(gather))


@router.get("/jobs/{name}/kill")
async def kill(request: Request, who: Operating, name: str) -> Response:
    """Whether this is meant."""
    found = await who.service.ask(listed, who, name)
    return page(request, "kill.html", who=who, job=found.job, name=name)


@router.get("/migrations")
async def migrations(request: Request, who: Looking, before: int = 1 << 62) -> Response:
    """All that have been tried, and what they took; a page at a time, of those before a number."""

    def gather() -> dict[str, Any]:
        reader, now = who.service.reader, time.time()
        found = reader.recent(KIND, PLOTTED, steps=False)
        rest = [one for one in found if one.number < before]
        latest = reader.with_steps(rest[:LISTED])
        shown = [(one.job, timeline.attempt_view(one, now)) for one in latest]
        failed = sum(one.result not in (None, "done") for one in found)
        words = {"attempts": shown, "plots": plots.plots(found), "count": len(found), "failed": failed}
        return {**words, "first": rest == found, "older": rest[LISTED - 1].number if rest[LISTED:] else None}

    return page(request, "migrations.html", who=who, **await who.service.ask(gather))


@router.get("/policy")
async def policy(request: Request, who: Looking, now: bool = False) -> Response:
    """The rules by which jobs move by themselves, what the latest round did, and, if asked for, what one would do now."""
    keeper = who.service.policies
    text = await who.service.ask(lambda: keeper.text)
    decision = await who.service.ask_node(keeper.explain) if now and text is not None else None
    return page(
        request, "policy.html", who=who, text=text, last=keeper.last, decision=decision, now=time.time()
    )


@router.get("/tasks")
async def tasks(request: Request, who: Looking) -> Response:
    """What the controller was asked to do."""
    found = await who.service.ask(who.service.tasks.recent, limit=TASKS)
    now = time.time()
    return page(request, "tasks.html", who=who, tasks=[views.task_row(task, now) for task in found])

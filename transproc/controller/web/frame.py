# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The frame of all pages: who looks, templates in which everything is escaped, and headers that forbid what is not ours."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote

from fastapi import Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from transproc.controller.api.access import caller, same_origin, service_of
from transproc.controller.service import Service
from transproc.controller.tokens import Role, Token
from transproc.controller.web import text
from transproc.errors import MissingError, TransprocError
from transproc.isa import ALL
from transproc.text import human, plural

STATIC = Path(__file__).with_name("static")
MODULES = sorted(path.name for path in STATIC.glob("*.js"))
"""All of them are needed on each page: asked for at once, and not one after the other as they import each other."""
LONGEST_BODY = 1 << 14
"""Bytes of a form."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
PLACES = (
    ("/", "Jobs"),
    ("/nodes", "Nodes"),
    ("/migrations", "Migrations"),
    ("/checkpoints", "Checkpoints"),
    ("/plans", "Plans"),
    ("/policy", "Policy"),
    ("/tasks", "Tasks"),
)
SHORTCUTS = (
    ("/", "filter the jobs"),
    ("j k", "next and previous job"),
    ("Enter", "open the job"),
    ("m", "migrate the job"),
    ("s", "start a job"),
    ("x", "cancel what is under way with it"),
    ("[ ]", "previous and next page of the list"),
    ("f", "follow the output, or stop that"),
    ("g j", "go to the jobs"),
    ("g n", "go to the nodes"),
    ("g m", "go to the migrations"),
    ("g p", "go to the plans"),
    ("g t", "go to the tasks"),
    ("t", "light or dark"),
    ("?", "these keys"),
    ("Esc", "close what has opened"),
)


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page."""

    service: Service
    token: Token
    request: Request

    @property
    def name(self) -> str:
        """The name of the token."""
        return self.token.name

    @property
    def role(self) -> str:
        """What the token allows."""
        return str(self.token.role)

    @property
    def operates(self) -> bool:
        """May change something."""
        return self.token.role.includes(Role.OPERATE)


async def visitor(request: Request) -> Visitor:
    """Whoever has no session is sent to sign in, and comes back."""
    try:
        token = await caller(request)
    except HTTPException as error:
        if error.status_code != 401:
            raise
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        address = "/web/login" if request.method != "GET" else f"/web/login?next={quote(back, safe='')}"
        raise HTTPException(303, "sign in first", {"Location": address}) from None
    return Visitor(service_of(request), token, request)


async def operating(who: Annotated[Visitor, Depends(visitor)]) -> Visitor:
    """Raises 403 for who may only look."""
    if not who.operates:
        raise HTTPException(403, f"{who.name} may only look: this needs a token with the role {Role.OPERATE}")
    return who


Looking = Annotated[Visitor, Depends(visitor)]
Operating = Annotated[Visitor, Depends(operating)]


def page(
    request: Request, template: str, *, who: Visitor | None = None, status: int = 200, **words: Any
) -> Response:
    """A page made of a template."""
    theme = request.cookies.get("theme")
    frame = {
        "user": who,
        "theme": theme if theme in ("light", "dark") else "",
        "modules": MODULES,
        "places": PLACES,
        "shortcuts": SHORTCUTS,
        "path": request.url.path,
    }
    return HTMLResponse(
        _environment.get_template(template).render(**frame, **words), status, headers=dict(HEADERS)
    )


async def form(request: Request) -> Mapping[str, str]:
    """The words of a form, of a page of ours. Raises 403 or 413."""
    if not same_origin(request):
        raise HTTPException(403, "the request comes from another site's page")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            raise HTTPException(413, "the form is too long")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise HTTPException(422, "the form cannot be read") from error


def wants_json(request: Request) -> bool:
    """Whether a script of ours asks, which shows the answer by itself."""
    return request.headers.get("accept", "") == "application/json"


class Route(APIRoute):
    """Errors are pages too, or JSON for our scripts."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As `APIRoute`."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except HTTPException as error:
                if error.status_code == 303:
                    return RedirectResponse((error.headers or {})["Location"], 303)
                return failure(request, error.status_code, str(error.detail))
            except RequestValidationError:
                return failure(request, 422, "this address makes no sense")
            except TransprocError as error:
                status = 404 if isinstance(error, MissingError) else 409
                return failure(request, status, error.message, error.hint)

        return handle


def failure(request: Request, status: int, message: str, hint: str | None = None) -> Response:
    """An error, in the form that is wanted."""
    if wants_json(request):
        return JSONResponse({"message": message, "hint": hint}, status, headers=dict(HEADERS))
    return page(request, "error.html", status=status, message=message, hint=hint)


def _isa_class(name: str) -> str:
    """The colour of an ISA."""
    names = [isa.name for isa in ALL]
    return f"c{names.index(name) % 7}" if name in names else "c7"


_environment = Environment(
    loader=PackageLoader("transproc.controller.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    moment=text.moment,
    duration=text.duration,
    age=text.age,
    plural=plural,
    size=human,
    isa_class=_isa_class,
    path=lambda name: quote(name, safe=""),
)

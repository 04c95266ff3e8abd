# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Signing in with a token, and out: the browser gets a cookie, and never keeps the token."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from transproc.controller.api.access import service_of
from transproc.controller.guard import TooManyError
from transproc.controller.sessions import COOKIE, SECONDS
from transproc.controller.web.frame import Route, form, page

router = APIRouter(include_in_schema=False, route_class=Route)


@router.get("/web/login")
async def ask(request: Request) -> Response:
    """The form."""
    return page(request, "login.html", following=_local(request.query_params.get("next", "")), error="")


@router.post("/web/login")
async def login(request: Request) -> Response:
    """Checks the token."""
    words, service = await form(request), service_of(request)
    following = _local(words.get("next", ""))
    address = request.client.host if request.client else ""
    try:
        token = await service.ask(service.guard.check, words.get("token", "").strip(), address)
    except TooManyError as error:
        wait = f"Too many wrong tokens: wait {int(error.seconds) + 1} s."
        return page(request, "login.html", status=429, following=following, error=wait)
    if token is None:
        wrong = "This token is not valid, or not any more."
        return page(request, "login.html", status=401, following=following, error=wrong)
    answer = RedirectResponse(following, 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, service.sessions.begin(token), int(SECONDS), httponly=True, secure=secure, samesite="strict"
    )
    return answer


@router.post("/web/logout")
async def logout(request: Request) -> Response:
    """Forgets the cookie."""
    await form(request)
    answer = RedirectResponse("/web/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


def _local(address: str) -> str:
    """A page of ours: no other site, in any of the ways in which browsers read one."""
    good = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if good else "/"

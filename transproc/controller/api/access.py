# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Who asks, and whether he may: by a bearer token, or by the cookie of a browser's session."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from transproc.controller.guard import TooManyError
from transproc.controller.service import Service
from transproc.controller.sessions import COOKIE
from transproc.controller.tokens import Role, Token

SAFE = ("GET", "HEAD", "OPTIONS")
_bearer = HTTPBearer(auto_error=False, description="A token of `transproc token add`.")


def service_of(request: Request) -> Service:
    """The controller."""
    found = request.app.state.service
    assert isinstance(found, Service)
    return found


async def _service(request: Request) -> Service:
    """As FastAPI is to call it: what is not asynchronous gets a thread for each request."""
    return service_of(request)


async def caller(
    request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
) -> Token:
    """The valid token of whoever asks; raises 401, or 429 with the seconds to wait."""
    service = service_of(request)
    if shown is not None:
        address = request.client.host if request.client else ""
        try:
            token = await service.ask(service.guard.check, shown.credentials, address)
        except TooManyError as error:
            headers = {"Retry-After": str(int(error.seconds) + 1)}
            raise HTTPException(429, "too many wrong tokens", headers) from None
    else:
        cookie = request.cookies.get(COOKIE)
        token = await service.ask(service.sessions.check, cookie) if cookie else None
        if token is not None and request.method not in SAFE and not same_origin(request):
            raise HTTPException(403, "the request comes from another site's page")
    if token is None:
        raise HTTPException(401, "a valid token is needed", {"WWW-Authenticate": "Bearer"})
    request.state.who = token.name  # for the log
    return token


def same_origin(request: Request) -> bool:
    """Whether a browser says that one of our own pages asks."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin == f"{request.url.scheme}://{request.headers.get('host', '')}"


def expect(token: Token, role: Role) -> Token:
    """Raises 403 unless the token's role includes this one."""
    if not token.role.includes(role):
        raise HTTPException(403, f"token {token.name} has the role {token.role}, expected {role}")
    return token


async def _operator(token: Annotated[Token, Depends(caller)]) -> Token:
    return expect(token, Role.OPERATE)


async def _admin(token: Annotated[Token, Depends(caller)]) -> Token:
    return expect(token, Role.ADMIN)


Controller = Annotated[Service, Depends(_service)]
Caller = Annotated[Token, Depends(caller)]
"""With any role: all may see jobs."""
Operator = Annotated[Token, Depends(_operator)]
Admin = Annotated[Token, Depends(_admin)]

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The web page becomes a part of the controller's application."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from transproc.controller.service import Service
from transproc.controller.web import actions, begin, compare, entrance, live, pages, plans
from transproc.controller.web.frame import STATIC
from transproc.controller.web.state import Web


def mount(app: FastAPI, service: Service) -> None:
    """Its pages are at `/`, `/jobs`, `/nodes`, …; what scripts ask for is below `/web`."""
    app.state.web = Web(service)
    for part in (pages, compare, begin, plans, actions, live, entrance):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

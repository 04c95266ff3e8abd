# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The log of plans. A plan's text names commands and files: it is for those who may operate."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from transproc.automation.plans import records
from transproc.controller.api.access import Controller, Operator
from transproc.controller.requests.plans import latest

router = APIRouter(tags=["plans"])


@router.get("/plans", operation_id="list_plans")
async def plans(service: Controller, _: Operator) -> list[dict[str, Any]]:
    """The plans that were carried out on the controller's host, latest first. Needs the role *operate*."""
    found = await service.ask(records.plans, service.store)
    return [plan.as_dict() for plan in found]


@router.get("/plans/{name}", operation_id="show_plan")
async def plan(
    service: Controller,
    _: Operator,
    name: Annotated[str, Path(max_length=100, description="Its number, or its name: its last run.")],
) -> dict[str, Any]:
    """One plan: text, nodes, and its steps with times. Needs the role *operate*."""

    def gather() -> dict[str, Any]:
        found = latest(service.store, name)
        steps = records.steps(service.store, found.number)
        return {**found.as_dict(), "steps": [vars(step) for step in steps]}

    return await service.ask(gather)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The log of plans. A plan's text names commands and files: it is for those who may operate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from transproc.automation.plans import planning, records
from transproc.automation.plans.checked import Checked
from transproc.automation.plans.reading import LARGEST_FILE, parse
from transproc.controller.api.access import Controller, Operator
from transproc.controller.api.models import Model
from transproc.controller.requests.plans import latest

router = APIRouter(tags=["plans"])


@router.get("/plans", operation_id="list_plans")
async def plans(service: Controller, _: Operator) -> list[dict[str, Any]]:
    """The plans that were carried out on the controller's host, latest first. Needs the role *operate*."""
    found = await service.ask(records.plans, service.store)
    return [plan.as_dict() for plan in found]


class Question(BaseModel):
    """A plan that is looked at."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[str, Field(max_length=255, description="The file's name: its ending says what it is.")]
    text: Annotated[str, Field(max_length=LARGEST_FILE)]
    mapping: Annotated[
        dict[str, str], Field(max_length=1000, description="Names of nodes in it, and nodes.")
    ] = {}


class ProblemModel(Model):
    """What is wrong at a line, or, as a `note`, what its author may not have meant."""

    line: int
    message: str
    hint: str | None
    note: bool


class AnswerModel(BaseModel):
    """What its names of nodes mean, those nodes' ISAs, which names are looked up again at each instruction, and what is wrong."""

    nodes: dict[str, str]
    isas: dict[str, str]
    labelled: list[str]
    problems: list[ProblemModel]


@router.post("/plans/check", operation_id="check_plan")
async def check(service: Controller, _: Operator, question: Question) -> AnswerModel:
    """Says what of a plan nodes can tell; its programs and files are not looked at. Nothing is done. Needs the role *operate*."""

    def look() -> Checked:
        plan, _ = planning.read(parse(Path(question.file), question.text))
        return planning.asked(plan, [], service.host, question.mapping)

    found = await service.ask_node(look)
    problems = [ProblemModel.model_validate(one) for one in found.problems]
    return AnswerModel(nodes=found.nodes, isas=found.isas, labelled=sorted(found.labelled), problems=problems)


@router.get("/plans/{name}", operation_id="show_plan")
async def plan(
    service: Controller,
    _: Operator,
    name: Annotated[str, InPath(max_length=100, description="Its number, or its name: its last run.")],
) -> dict[str, Any]:
    """One plan: text, nodes, and its steps with times. Needs the role *operate*."""

    def gather() -> dict[str, Any]:
        found = latest(service.store, name)
        steps = records.steps(service.store, found.number)
        return {**found.as_dict(), "steps": [vars(step) for step in steps]}

    return await service.ask(gather)

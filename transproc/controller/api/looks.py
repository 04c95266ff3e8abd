# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What images and checkpoints of the controller's host hold. Values are the program's memory: for those who may operate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from transproc.cluster.events import Silent, Token
from transproc.cluster.operations.checkpoint import place
from transproc.controller import looks
from transproc.controller.api.access import Controller, Operator
from transproc.controller.api.jobs import Name
from transproc.controller.api.models import Model
from transproc.controller.requests.start import expect_own

router = APIRouter(tags=["looks"])


class LookModel(Model):
    """What was seen."""

    text: str = Field(description="For people.")
    data: Any = Field(description="The same for programs, as `--json` of the command has it.")
    notes: list[str] = Field(description="What is wrong with parts of it.")


class Question(BaseModel):
    """What is to be looked at."""

    model_config = ConfigDict(extra="forbid")

    directory: Annotated[str | None, Field(max_length=4096, pattern=r"^[^\x00]*$")] = Field(
        None, description="A checkpoint, or a directory with several; null: where the controller keeps them."
    )
    verify: bool = Field(False, description="Read all of it, and compare the checksums.")
    stacks: bool = Field(False, description="The stack of each thread, with values.")
    nodes: bool = Field(True, description="Ask the nodes whether it can be restarted there.")


@router.get("/jobs/{name}/image", operation_id="show_image")
async def image(
    service: Controller,
    _: Operator,
    name: Name,
    values: Annotated[bool, Query(description="With the live values of each frame.")] = True,
) -> LookModel:
    """What the image of a dumped job holds: processes, open files, memory, stacks. Needs the role *operate*."""
    return LookModel.model_validate(
        await service.ask_node(lambda: looks.job(service.store, name, values=values))
    )


@router.post("/inspect", operation_id="inspect")
async def inspect(service: Controller, token: Operator, question: Question) -> LookModel:
    """What checkpoints on the controller's host hold. Others than admins look into the controller's own only.

    Needs the role *operate*.
    """
    if question.directory is not None:
        expect_own(question.directory, token.role, place(service.store))
    context = service.host.context(Silent(), Token())
    where = None if question.directory is None else Path(question.directory)
    words = question.model_dump(exclude={"directory"})
    found = await service.ask_node(lambda: looks.checkpoint(context, where, **words))
    return LookModel.model_validate(found)

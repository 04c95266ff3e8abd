# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller's policy: reading, changing and explaining it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from transproc.automation.policies import Decision
from transproc.controller.api.access import Admin, Caller, Controller
from transproc.controller.api.models import Model
from transproc.controller.policies import Last
from transproc.errors import MissingError

LONGEST = 1 << 16
"""Characters of a policy that is sent."""

router = APIRouter(tags=["policy"])


class MoveModel(Model):
    """A job's move by a rule, which has that number, from 1."""

    job: str
    source: str
    target: str
    rule: int
    reason: str
    error: str | None = Field(None, description="Why it failed.")


class DecisionModel(BaseModel):
    """What a policy would do, or has done; `notes`: what it could not do, and why."""

    moves: list[MoveModel]
    notes: list[str]


class RoundModel(DecisionModel):
    """A round; `error`: why there was none."""

    time: float
    error: str | None


class PolicyModel(BaseModel):
    """The policy as it was written, and the latest round."""

    text: str | None = Field(description="In TOML, as docs/policies.md says; null: there is none.")
    last: RoundModel | None


class PolicyText(BaseModel):
    """A policy."""

    text: Annotated[str, Field(max_length=LONGEST, description="In TOML, as docs/policies.md says.")]


class Question(BaseModel):
    """A policy that is not the controller's."""

    text: Annotated[str | None, Field(max_length=LONGEST, description="By default the controller's.")] = None


@router.get("/policy", operation_id="show_policy")
async def show(service: Controller, _: Caller) -> PolicyModel:
    """The rules by which this controller moves jobs, and what the latest round did."""
    text = await service.ask(lambda: service.policies.text)
    last = service.policies.last
    return PolicyModel(text=text, last=_round(last) if last else None)


@router.put("/policy", operation_id="set_policy")
async def change(service: Controller, _: Admin, policy: PolicyText) -> PolicyModel:
    """Replaces the policy, which counts from now on. One that is wrong is refused with all that is wrong in it.

    Needs the role *admin*.
    """
    await service.ask(service.policies.set, policy.text)
    return PolicyModel(text=policy.text, last=None)


@router.delete("/policy", operation_id="remove_policy", status_code=204)
async def remove(service: Controller, _: Admin) -> None:
    """There is no policy any more. Needs the role *admin*."""
    if await service.ask(lambda: service.policies.text) is None:
        raise MissingError("the controller has no policy")
    await service.ask(service.policies.unset)


@router.post("/policy/explain", operation_id="explain_policy")
async def explain(service: Controller, _: Caller, question: Question | None = None) -> DecisionModel:
    """What the policy, or the one that is sent, would do at this moment. Nothing moves; nodes have five seconds to answer."""
    found: Decision = await service.ask_node(service.policies.explain, question.text if question else None)
    return DecisionModel(moves=[MoveModel.model_validate(move) for move in found.moves], notes=found.notes)


def _round(last: Last) -> RoundModel:
    moves = [MoveModel(**{**vars(outcome.move), "error": outcome.error}) for outcome in last.outcomes]
    return RoundModel(time=last.time, moves=moves, notes=last.notes, error=last.error)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of nodes."""

from __future__ import annotations

from fastapi import APIRouter

from transproc.cluster.facts import Facts
from transproc.cluster.fleet import NodeState
from transproc.controller.api.access import Caller, Controller
from transproc.controller.api.models import NodeList, NodeModel, Trouble
from transproc.errors import TransprocError

router = APIRouter(tags=["nodes"])
ANSWER_SECONDS = 1.0


@router.get("/nodes", operation_id="list_nodes")
async def nodes(service: Controller, _: Caller) -> NodeList:
    """All nodes, with what those say of themselves that answer within a second."""
    found = await service.ask_node(service.host.fleet, deadline=ANSWER_SECONDS)
    return NodeList(nodes=[_model(state) for state in found])


def _model(state: NodeState) -> NodeModel:
    facts, error = state.facts, None
    if isinstance(facts, TransprocError):
        facts, error = None, Trouble.model_validate(facts)
    return NodeModel(
        name=state.name,
        up=False if error else True if isinstance(facts, Facts) else None,
        error=error,
        facts=facts.as_dict() if facts else None,
        jobs=state.jobs,
        labels=sorted(state.labels),
        capacity=state.description.capacity,
        price=state.description.price,
    )

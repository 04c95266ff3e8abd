# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of nodes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from transproc.cluster import inventory
from transproc.cluster.facts import Facts
from transproc.cluster.fleet import NodeState
from transproc.controller.api.access import Admin, Caller, Controller
from transproc.controller.api.models import NodeList, NodeModel, Trouble
from transproc.errors import TransprocError

router = APIRouter(tags=["nodes"])
ANSWER_SECONDS = 1.0


@router.get("/nodes", operation_id="list_nodes")
async def nodes(service: Controller, _: Caller) -> NodeList:
    """All nodes, with what those say of themselves that answer within a second."""
    found = await service.ask_node(service.host.fleet, deadline=ANSWER_SECONDS)
    return NodeList(nodes=[_model(state) for state in found])


class HostKey(BaseModel):
    """A key by which a machine proves who it is."""

    key: str = Field(description="Type and key, as `POST /nodes` wants it.")
    fingerprint: str = Field(description="As `ssh-keygen -l` shows it on that machine.")


class HostKeys(BaseModel):
    """What a machine shows; nobody has vouched for it yet."""

    keys: list[HostKey] = Field(description="The best first.")
    login: str | None = Field(description="The public key by which the controller logs in there.")


@router.get("/nodes/keys", operation_id="host_keys")
async def keys(
    service: Controller,
    _: Admin,
    host: Annotated[str, Query(max_length=255, description="A name or an address.")],
    port: Annotated[int, Query(ge=1, le=65535, description="Of its SSH server.")] = 22,
) -> HostKeys:
    """The host keys of a machine that is to become a node, as the controller sees them. Needs the role *admin*."""
    found = await service.ask_node(inventory.host_keys, host, port)
    login = await service.ask(inventory.public_key)
    return HostKeys(
        keys=[HostKey(key=key, fingerprint=inventory.fingerprint(key)) for key in found], login=login
    )


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

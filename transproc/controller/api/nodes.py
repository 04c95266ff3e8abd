# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of nodes."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter

from transproc.cluster.facts import Facts
from transproc.cluster.job import State
from transproc.controller.api.access import Caller, Controller
from transproc.controller.api.models import NodeList, NodeModel, Trouble
from transproc.errors import TransprocError

router = APIRouter(tags=["nodes"])


@router.get("/nodes", operation_id="list_nodes")
async def nodes(service: Controller, _: Caller) -> NodeList:
    """All nodes, with what those say of themselves that answer within a second."""
    found = await service.ask_node(service.host.survey)
    listed = await service.ask(service.reader.jobs)
    counts = Counter(entry.job.node for entry in listed if entry.job and entry.job.state is not State.EXITED)
    names = await service.ask(service.host.names)
    return NodeList(nodes=[_model(name, found.get(name), counts[name]) for name in names])


def _model(name: str, found: Facts | TransprocError | None, jobs: int) -> NodeModel:
    if found is None:
        return NodeModel(name=name, up=None, jobs=jobs)
    if isinstance(found, TransprocError):
        return NodeModel(name=name, up=False, error=Trouble.model_validate(found), jobs=jobs)
    return NodeModel(name=name, up=True, facts=found.as_dict(), jobs=jobs)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The nodes of a batch, with what they take and cost."""

from __future__ import annotations

from functools import partial

from transproc.automation.batch.decide import Seat
from transproc.automation.batch.model import Batch
from transproc.cluster.beside import beside
from transproc.cluster.facts import Facts
from transproc.cluster.node import LOCAL
from transproc.errors import TransprocError
from transproc.host import Host

SURVEY_SECONDS = 30.0
"""For all nodes to answer; the others are left out."""


def seats(batch: Batch, host: Host) -> list[Seat]:
    """As many slots as the file says, else as nodes.toml (`capacity`), else one for each processor; likewise the price, else 0.

    Raises `TransprocError` if a node that the file names does not answer, or no node is there.
    """
    known = list(host.names())
    names = list(batch.nodes) or [name for name in known if name != LOCAL] or known
    for name in names:
        host.node(name)  # raises for unknown ones
    questions = {name: partial(host.facts, name, timeout=SURVEY_SECONDS) for name in names}
    answers = beside(questions, SURVEY_SECONDS)
    found = []
    for name in names:
        answer = answers.get(name)
        if not isinstance(answer, Facts):
            if name in batch.nodes:
                raise answer or TransprocError(f"node {name}: does not answer")
            continue
        slots, price = batch.nodes.get(name, (None, None))
        about = host.description(name)
        slots = slots or about.capacity or answer.cpus
        found.append(Seat(name, slots, price if price is not None else about.price or 0.0, answer.isa))
    if not found:
        raise TransprocError(f"{batch.path}: no node answers", hint="'transproc nodes check' says why")
    return found

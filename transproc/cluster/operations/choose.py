# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which node a job should go to, and why not to the others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from transproc.binary import processor
from transproc.binary.elf import Elf
from transproc.cluster import transfer
from transproc.cluster.description import check_label
from transproc.cluster.facts import too_high
from transproc.cluster.fleet import NodeState
from transproc.cluster.job import Job
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.forecast import Forecast, forecast
from transproc.errors import TransprocError
from transproc.process.criu import MINIMUM, Options
from transproc.text import dotted


@dataclass(frozen=True)
class Choice:
    """The node that was chosen, what is to be expected, and by name why it is none of the others."""

    node: str
    forecast: Forecast
    others: dict[str, str]


def choose(
    context: Context, name: str, *, labels: Collection[str] = (), options: Options | None = None
) -> Choice:
    """The node with all these labels that has the least to do and can take the job; among equals, the cheapest.

    Nodes are asked whether they can, the best first, until one does. Raises `TransprocError` if none can, with all reasons.
    """
    for label in labels:
        check_label(label)
    job = context.store.load(name)
    context.expect_settled(job)
    others: dict[str, str] = {}
    fit: list[NodeState] = []
    for candidate in context.fleet():
        if reason := unfit(context, job, candidate, labels):
            others[candidate.name] = reason
        else:
            fit.append(candidate)
    for candidate in sorted(fit, key=_rank):
        try:
            found = forecast(context, name, candidate.name, options=options)
        except TransprocError as error:
            others[candidate.name] = error.message.removeprefix(f"node {candidate.name}: ")
            continue
        rest = [other for other in fit if other.name not in others and other is not candidate]
        return Choice(
            candidate.name, found, others | {other.name: _worse(other, candidate) for other in rest}
        )
    lines = "".join(f"\n  {node}: {reason}" for node, reason in others.items())
    wanted = f" with {' and '.join(f'label {label}' for label in labels)}" if labels else ""
    raise TransprocError(
        f"job {name}: there is no node{wanted} that can take it{lines}",
        hint="'transproc nodes list' shows nodes with their labels; nodes.toml gives them more",
    )


def unfit(context: Context, job: Job, candidate: NodeState, labels: Collection[str] = ()) -> str | None:
    """Why a job cannot go to a node, as far as that is known without looking at the job; None if nothing is known."""
    facts = candidate.facts
    lacks = (
        f"has no label {', '.join(missing)}" if (missing := sorted(set(labels) - candidate.labels)) else ""
    )
    if candidate.name == job.node:
        return f"it is there, and {lacks}" if lacks else "it is there"
    if isinstance(facts, TransprocError):
        return facts.message.removeprefix(f"node {candidate.name}: ")
    if facts is None:
        return "has not answered in time"
    if lacks:
        return lacks
    if not candidate.free:
        return f"is full: it takes {candidate.description.capacity} jobs at once"
    if facts.criu_version < MINIMUM:
        return f"has {f'criu {facts.criu}' if facts.criu else 'no criu'}, expected {dotted(MINIMUM)} or later"
    if reason := too_high(job.pid, facts.ids):
        return reason
    try:
        processor.check(Elf(transfer.binary(context.store, job, facts.isa)), candidate.name, facts.abilities)
    except TransprocError as error:
        return error.message.removeprefix(f"node {candidate.name}: ").removeprefix(f"job {job.name}: ")
    return None


def _rank(candidate: NodeState) -> tuple[float, float, str]:
    price = candidate.description.price
    return round(candidate.busy or 0.0, 1), 0.0 if price is None else price, candidate.name


def _worse(other: NodeState, chosen: NodeState) -> str:
    (load, price, _), (least, cheapest, _) = _rank(other), _rank(chosen)
    if load > least:
        return f"has more to do ({load} for each processor, {chosen.name} {least})"
    if price > cheapest:
        return f"costs more ({price:g}, {chosen.name} {cheapest:g})"
    return f"would do as well as {chosen.name}"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A plan's log becomes a plan again: what was done, at the times at which it was done, without what it waited for.

What a plan with conditions did depends on loads and on chance; its replay does the same once more. Steps of different jobs are
kept in order by their times alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from transproc.automation.plans import planning, records
from transproc.automation.plans.checked import Checked
from transproc.automation.plans.model import Block, Gate, Item, Parallel, Plan, Repeat, Step
from transproc.automation.plans.records import PlanRecord, Result, StepRecord
from transproc.errors import TransprocError
from transproc.host import Host

_PART = re.compile(r"([1-9]\d*)(?:([#/])([1-9]\d*))?")
_PLACE = re.compile(rf"{_PART.pattern}(?:\.{_PART.pattern})*")


def prepared(record: PlanRecord, host: Host, mapping: Mapping[str, str]) -> Checked:
    """That plan, with its nodes as they were or as `mapping` says, and its programs as they are now."""
    plan = plan_of(record, records.steps(host.store, record.number))
    return planning.checked(plan, [], host, {**record.mapping(plan), **mapping})


def plan_of(record: PlanRecord, steps: Sequence[StepRecord]) -> Plan:
    """The plan that does once more what was done. Raises `TransprocError` if nothing was, or the log is damaged."""
    original, _ = planning.of_record(record)
    lanes: dict[str, list[Item]] = {}
    for step in steps:
        if step.result == Result.DONE:
            found = step_at(original.main, step.place)
            gate = Gate(since=max(0.0, step.started - record.started))
            lanes.setdefault(found.job or "", []).append(replace(found, gate=gate))
    if not lanes:
        raise TransprocError(f"plan {record.number}: no step of it was done")
    blocks = [tuple(lane) for lane in lanes.values()]
    main: Block = blocks[0] if len(blocks) == 1 else (Parallel(tuple(blocks), 1, "replay"),)
    return replace(original, name=f"{original.name}", main=main)


def step_at(block: Block, place: str) -> Step:
    """The step at a place, such as 6#1.2 (its second step in the first round of the sixth)."""
    item: Item | None = None
    parts = _PART.findall(place) if _PLACE.fullmatch(place) else []
    try:
        for number, kind, inner in parts:
            item = block[int(number) - 1]
            if kind == "#" and isinstance(item, Repeat):
                block = item.body
            elif kind == "/" and isinstance(item, Parallel):
                block = item.branches[int(inner) - 1]
    except IndexError:
        item = None
    if not isinstance(item, Step):
        raise TransprocError(f"there is no step at {place} of the plan that the log holds")
    return item

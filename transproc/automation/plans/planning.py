# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A file becomes a plan that can be carried out: read, its nodes chosen, and checked, with all that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from transproc.automation import parcel
from transproc.automation.plans import check, programs, seed, written
from transproc.automation.plans.check import Follower
from transproc.automation.plans.checked import Checked
from transproc.automation.plans.executor import Executor, Outcome
from transproc.automation.plans.model import Plan
from transproc.automation.plans.nodes import Chooser, by_label
from transproc.automation.plans.reading import Problem, Source, in_order, load, parse
from transproc.automation.plans.records import PlanRecord, begun
from transproc.cluster.operations import Context
from transproc.errors import TransprocError
from transproc.host import Host


def read(source: Source) -> tuple[Plan, list[Problem]]:
    """The plan of a file in either format, as far as it can be understood, and what is wrong with the file alone."""
    plan, reader = (written if source.path.suffix == ".toml" else seed).read(source)
    return plan, [*reader.problems, *check.jobs(plan)]


def examine(path: Path, host: Host, mapping: Mapping[str, str]) -> Checked:
    """Reads and checks a plan; asks nodes what they are, and touches nothing. Raises `FormatError` if it cannot be read."""
    return checked(*read(load(path)), host, mapping)


def checked(plan: Plan, found: Sequence[Problem], host: Host, mapping: Mapping[str, str]) -> Checked:
    """A plan that has been read is checked; `found`: what was wrong with its file."""
    return looked(asked(plan, found, host, mapping))


def asked(plan: Plan, found: Sequence[Problem], host: Host, mapping: Mapping[str, str]) -> Checked:
    """As `checked`, as far as nodes can tell: no file is looked at."""
    problems = list(found)
    chooser = Chooser(host, mapping)
    nodes = chooser.choose(plan)
    isas = {}
    for name, node in nodes.items():
        try:
            isas[node] = host.node(node).isa
        except TransprocError as error:
            line = plan.nodes[name].line if name in plan.nodes else 1
            problems.append(Problem(line, error.message, error.hint))
    follower = Follower(plan, nodes, isas)
    follower.follow()
    problems += [*chooser.problems, *follower.problems, *_others(plan, nodes, isas)]
    return Checked(plan, nodes, in_order(problems), isas, labelled(plan, mapping))


def looked(found: Checked) -> Checked:
    """The rest of `checked`: the programs and files, which are on this host."""
    plan = found.plan
    more = [*check.files(plan), *programs.look(plan, found.nodes, found.isas)]
    return replace(found, problems=in_order([*found.problems, *more]))


def of_record(record: PlanRecord) -> tuple[Plan, list[Problem]]:
    """As `read`, of a plan in the log, as it was then."""
    path = Path(record.path)
    return read(parse(path, record.text, parcel.names(path.parent)))


def labelled(plan: Plan, mapping: Mapping[str, str]) -> frozenset[str]:
    """Names of nodes that are chosen by a label, if the user does not say otherwise."""
    return frozenset(name for name, choice in plan.nodes.items() if by_label(choice) and name not in mapping)


def _others(plan: Plan, nodes: Mapping[str, str], isas: Mapping[str, str]) -> Sequence[Problem]:
    """Nodes that are of another ISA than the plan says: only the command line can have chosen them."""
    return [
        Problem(choice.line, f"{name} is {nodes[name]}, which is {isas[nodes[name]]}", note=True)
        for name, choice in plan.nodes.items()
        if choice.isa and nodes.get(name) in isas and isas[nodes[name]] != choice.isa
    ]


def carry_out(plan: Checked, host: Host, context: Context) -> tuple[int, Outcome]:
    """Carries a checked plan out; returns its number in the log, and how it ended. Raises `PlanError` if something is wrong."""
    plan.expect_good()
    with begun(context.store, plan.plan, plan.nodes) as log:
        return log.number, Executor(plan, host, context, log).run()

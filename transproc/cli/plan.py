# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc plan`: files that say what is to be done with programs, where, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transproc import log
from transproc.cli import common, options, planlog

if TYPE_CHECKING:
    from transproc.automation.plans.checked import Checked
    from transproc.automation.plans.executor import Outcome
    from transproc.automation.plans.model import Plan
    from transproc.automation.plans.reading import Problem
    from transproc.controller.requests.base import Request

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)
FILE = typer.Argument(
    metavar="FILE|DIR", help="A plan (.toml), a config.json, or the directory of one.", show_default=False
)
STOP = "the plan ends after this step"
"""What Ctrl-C does."""
THERE = typer.Option("--there", help="With --controller: FILE is on the controller's host. For admins.")
MAP = typer.Option("--map", metavar="NAME=NODE", help="What the plan calls NAME is NODE. May be repeated.")


@app.callback()
def plan() -> None:
    """Carries out plans: which programs run where, when they move, what is done in which order (docs/plans.md).

    \b
    Examples:
      transproc plan check tour.toml
      transproc plan run tour.toml --map cheap=arm
      transproc plan run bt/                  a directory with the first implementation's config.json
      transproc plan log
    """


@app.command()
def run(
    file: Annotated[Path, FILE],
    *,
    map_: Annotated[list[str] | None, MAP] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and show it; do nothing.")] = False,
    there: Annotated[bool, THERE] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Checks a plan and carries it out; with --controller it is sent there with its programs and files.

    Ctrl-C ends it after the step under way. If it does not come to its end, each of its jobs that is stopped goes on: one copy of
    each runs.

    \b
    Examples:
      transproc plan run tour.toml
      transproc plan run bt/config.json --map x86-64=x86 --map aarch64=arm
    """
    if there:
        _at_controller(_elsewhere(file, map_, dry_run=dry_run), as_json=as_json)
        return
    checked = _examined(file, map_)
    _notes(checked)
    checked.expect_good()
    if dry_run:
        _show(checked, as_json=as_json)
    elif (client := common.remote()) is not None:
        from transproc.controller.requests.plans import RunPlan

        request = RunPlan(checked.plan.path.name, mapping=_mapping(map_))
        _done_there(client.perform(request, log, checked.plan.parcel), as_json=as_json)
    else:
        _carry_out(checked, as_json=as_json)


@app.command()
def replay(
    name: Annotated[
        str, typer.Argument(metavar="NAME|NUMBER", help="Of a plan that was carried out.", show_default=False)
    ],
    *,
    map_: Annotated[list[str] | None, MAP] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and show it; do nothing.")] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Does once more what a plan did, at the times at which it did it, without what it waited for.

    The plan is taken as it was then, from the log; its programs as they are now.

    \b
    Examples:
      transproc plan replay 12
      transproc plan replay tour --map arm=pi        its last run, on another node
    """
    from transproc.automation.plans import replay as replaying

    if not dry_run and common.remote() is not None:
        from transproc.controller.requests.plans import ReplayPlan

        _at_controller(ReplayPlan(name, _mapping(map_)), as_json=as_json)
        return
    record, steps = planlog.logged(name)
    plan = replaying.plan_of(record, steps)
    checked = _checked(plan, [], {**record.mapping(plan), **_mapping(map_)}, files=common.remote() is None)
    checked.expect_good()
    if dry_run:
        _show(checked, as_json=as_json)
    else:
        _carry_out(checked, as_json=as_json)


@app.command()
def resume(
    name: Annotated[
        str, typer.Argument(metavar="NAME|NUMBER", help="Of a plan that did not end.", show_default=False)
    ],
    *,
    map_: Annotated[list[str] | None, MAP] = None,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Goes on with a plan that was killed, called off, or has failed: with the step after the last one that was settled.

    What was done is not done again, and what was waited for is not waited for again; the conditions of what follows are looked
    at as always. If a job was let go meanwhile, it is stopped and sent once more, as far as the plan had come with that.

    \b
    Examples:
      transproc plan resume 12
      transproc plan resume tour --map arm=pi        its last run; what follows goes to another node
    """
    if common.remote() is not None:
        from transproc.controller.requests.plans import ResumePlan

        _at_controller(ResumePlan(name, _mapping(map_)), as_json=as_json)
        return
    from transproc.automation.plans import resume as resuming

    record, _ = planlog.logged(name)
    checked = resuming.prepared(record, common.host(), _mapping(map_))
    outcome = resuming.resume(record, checked, common.host(), common.context(STOP))
    _tell(record.number, outcome, as_json=as_json)


def _elsewhere(file: Path, mapping: list[str] | None, *, dry_run: bool) -> Request:
    """A plan that is on the controller's host."""
    from transproc.controller.requests.plans import RunPlan

    if dry_run or common.remote() is None:
        raise typer.BadParameter("goes with --controller, and without --dry-run", param_hint="'--there'")
    return RunPlan(str(file), mapping=_mapping(mapping))


def _at_controller(request: Request, *, as_json: bool) -> None:
    """A plan that is there; what it has done when it fails is noted."""
    _done_there(common.perform(request), as_json=as_json)


def _done_there(done: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        common.show_json(done)
        return
    for line in done["jobs"].values():
        typer.echo(line)


def _carry_out(checked: Checked, *, as_json: bool) -> None:
    from transproc.automation.plans import planning

    number, outcome = planning.carry_out(checked, common.host(), common.context(STOP))
    _tell(number, outcome, as_json=as_json)


def _tell(number: int, outcome: Outcome, *, as_json: bool) -> None:
    """What came of a plan; raises what it failed with."""
    from transproc.automation.plans.records import Result

    if as_json:
        error = outcome.error and outcome.error.message
        common.show_json(
            {
                "plan": number,
                "result": outcome.result,
                "steps": outcome.steps,
                "jobs": outcome.jobs,
                "error": error,
            }
        )
    else:
        for line in outcome.jobs.values():
            typer.echo(line)
    if outcome.error:
        outcome.error.hint = (
            outcome.error.hint
            or f"'transproc plan log {number}' shows what was done, 'transproc plan resume {number}' goes on"
        )
        raise outcome.error
    if outcome.result is not Result.DONE:
        raise KeyboardInterrupt


@app.command()
def check(
    file: Annotated[Path, FILE],
    *,
    map_: Annotated[list[str] | None, MAP] = None,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Says everything that is wrong with a plan, with line numbers. Exits with 1 if something is.

    It looks at the programs and asks the nodes what they are; nothing is done.

    \b
    Example:
      transproc plan check tour.toml
    """
    checked = _examined(file, map_)
    if as_json:
        common.show_json(
            {
                "good": checked.good,
                "nodes": checked.nodes,
                "problems": [vars(problem) for problem in checked.problems],
            }
        )
    else:
        for problem in checked.problems:
            typer.echo(f"{checked.plan.path}: {problem}")
        if checked.good:
            names = ", ".join(f"{name} is {node}" for name, node in checked.nodes.items())
            typer.echo(f"{checked.plan.path}: can be carried out" + (f"; {names}" if names else ""))
    if not checked.good:
        raise typer.Exit(1)


@app.command()
def show(
    file: Annotated[Path, FILE],
    *,
    map_: Annotated[list[str] | None, MAP] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write a picture: a lane for each node.")
    ] = None,
) -> None:
    """Draws a plan: what is done in which order, and when.

    \b
    Examples:
      transproc plan show tour.toml
      transproc plan show tour.toml --svg tour.svg
    """
    from transproc.automation.plans import drawing

    checked = _examined(file, map_)
    for line in drawing.text(checked.plan, checked.nodes):
        typer.echo(line)
    if svg is not None:
        svg.write_text(drawing.svg(checked.plan, checked.nodes))
    for problem in checked.problems:
        typer.echo(f"{checked.plan.path}: {problem}", err=True)


@app.command("log")
def log_of(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A plan's name or number [default: all plans].")
    ] = None,
    *,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Lists the plans that were carried out, or says what one of them did, step by step.

    \b
    Examples:
      transproc plan log
      transproc plan log 12
      transproc plan log tour --json          its last run: text, nodes, steps with times
    """
    if name is not None:
        planlog.show(*planlog.logged(name), as_json=as_json)
    else:
        planlog.show_all(as_json=as_json)


def _examined(file: Path, mapping: list[str] | None) -> Checked:
    from transproc.automation.plans import planning, reading

    return _checked(*planning.read(reading.load(file)), _mapping(mapping))


def _checked(
    plan: Plan, problems: Sequence[Problem], mapping: Mapping[str, str], *, files: bool = True
) -> Checked:
    """A plan that has been read; its nodes are asked by this host or the controller. `files`: those of this host are meant."""
    from transproc.automation.plans import planning, reading
    from transproc.automation.plans.checked import Checked

    if (client := common.remote()) is not None:
        words = {"file": plan.path.name, "text": plan.text, "mapping": mapping}
        answer = client.ask("/plans/check", words)
        more = [reading.Problem(**one) for one in answer["problems"]]
        labelled = frozenset(answer["labelled"])
        found = Checked(plan, answer["nodes"], [*problems, *more], answer["isas"], labelled)
    else:
        found = planning.asked(plan, problems, common.host(), mapping)
    return planning.looked(found) if files else found


def _mapping(words: list[str] | None) -> dict[str, str]:
    for word in words or []:
        if "=" not in word:
            raise typer.BadParameter(f"{word}: expected NAME=NODE", param_hint="'--map'")
    return dict(word.split("=", 1) for word in words or [])


def _notes(checked: Checked) -> None:
    for problem in checked.problems:
        if problem.note:
            typer.echo(f"{checked.plan.path}: {problem}", err=True)


def _show(checked: Checked, *, as_json: bool) -> None:
    """Of a dry run."""
    from transproc.automation.plans import drawing
    from transproc.automation.plans.model import steps_of

    if as_json:
        steps = [
            {"line": step.line, "verb": step.verb, "what": step.title} for step in steps_of(checked.plan.main)
        ]
        common.show_json({"nodes": checked.nodes, "steps": steps})
        return
    for line in drawing.text(checked.plan, checked.nodes):
        typer.echo(line)

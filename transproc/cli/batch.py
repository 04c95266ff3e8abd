# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc batch`: a list of programs on a mixed set of nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transproc.cli import common
from transproc.errors import TransprocError

if TYPE_CHECKING:
    from transproc.automation.batch.runner import Report


def batch(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Programs and how often (TOML).", show_default=False)
    ],
    *,
    migrate: Annotated[
        bool,
        typer.Option(
            "--migrate/--stay", help="Whether what runs may move to where it is done sooner, or cheaper."
        ),
    ] = True,
    compare: Annotated[
        bool, typer.Option("--compare", help="Carry it out twice: without migration, then with it.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Write what each run prints there, and forget runs that went well.",
        ),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", metavar="FILE", help="Write a picture: who was in which slot when."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check it and show the nodes; do nothing.")
    ] = False,
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Runs a list of programs on all nodes, as many at once as they take, and says what that took and cost.

    When nothing waits any more, runs move to free slots where they are done sooner (or, with goal = "cost", cheaper). Ctrl-C:
    nothing more is started; what runs goes on. Exits with 1 if a run did not end with status 0.

    \b
    Examples:
      transproc batch night.toml --output results
      transproc batch night.toml --compare --svg night.svg
    """
    from transproc.automation.batch import model, planning
    from transproc.automation.batch.decide import Estimates
    from transproc.automation.batch.runner import Runner
    from transproc.automation.plans.reading import load

    found = model.read(load(file))
    seats = planning.seats(found, common.host())
    if dry_run:
        common.table(
            [(seat.name, seat.slots, f"{seat.price:g}") for seat in seats], ("NODE", "SLOTS", "PRICE")
        )
        return
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    given = {entry.name: entry.seconds for entry in found.entries}
    estimates = Estimates(given, {seat.name: seat.isa for seat in seats})
    context = common.context("nothing more is started or moved; what runs goes on")
    reports: list[Report] = []
    for moving in [False, True] if compare else [migrate]:
        runner = Runner(found, seats, context, estimates, migrate=moving, output=output)
        reports.append(runner.run())
        if reports[-1].interrupted:
            break
    _show(found.name, reports, as_json=as_json)
    if svg is not None:
        from transproc.automation.batch.report import svg as picture

        svg.write_text(picture(f"batch {found.name}", reports))
    _judge(reports)


def _show(name: str, reports: list[Report], *, as_json: bool) -> None:
    from transproc.automation.batch import report

    differing = report.differing(reports)
    if as_json:
        common.show_json(
            {"batch": name, "reports": list(map(report.as_dict, reports)), "differing": differing}
        )
        return
    common.table(report.programs(reports[-1]), report.PROGRAMS)
    typer.echo()
    common.table(report.summary(reports), report.SUMMARY)


def _judge(reports: list[Report]) -> None:
    """Raises for what did not go well."""
    from transproc.automation.batch import report

    if reports[-1].interrupted:
        raise KeyboardInterrupt
    if differing := report.differing(reports):
        raise TransprocError(f"with migration other output than without: {', '.join(differing)}")
    if bad := [
        f"{run.job}: {run.exit}"
        for one in reports
        for run in one.runs
        if len(one.done) < len(one.runs) and run not in one.done
    ]:
        raise TransprocError(
            f"{len(bad)} runs did not end well: {'; '.join(bad[:5])}", hint="'transproc logs --stderr JOB'"
        )


app = common.application(batch)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc batch`: a list of programs on a mixed set of nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transproc import log
from transproc.cli import common, options
from transproc.errors import TransprocError

if TYPE_CHECKING:
    from transproc.automation.batch.decide import Seat
    from transproc.automation.batch.model import Batch
    from transproc.automation.batch.runner import Report
    from transproc.controller.client import Client


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
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Runs a list of programs on all nodes, as many at once as they take, and says what that took and cost.

    When nothing waits any more, runs move to free slots where they are done sooner (or, with goal = "cost", cheaper). Ctrl-C:
    nothing more is started; what runs goes on. With --controller it is sent there with its programs and files. Exits with 1 if a
    run did not end with status 0.

    \b
    Examples:
      transproc batch night.toml --output results
      transproc batch night.toml --compare --svg night.svg
    """
    from transproc.automation.batch import model
    from transproc.automation.plans.reading import load

    found = model.read(load(file))
    if dry_run:
        seats = [(seat.name, seat.slots, f"{seat.price:g}") for seat in _seats(found)]
        common.table(seats, ("NODE", "SLOTS", "PRICE"))
        return
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    reports = _carried_out(found, migrate=migrate, compare=compare, output=output)
    _show(found.name, reports, as_json=as_json)
    if svg is not None:
        from transproc.automation.batch.report import svg as picture

        svg.write_text(picture(f"batch {found.name}", reports))
    _judge(reports, output)


def _seats(found: Batch) -> list[Seat]:
    """The nodes, which this host asks, or the controller."""
    from transproc.automation.batch import planning
    from transproc.automation.batch.decide import Seat

    if (there := common.remote()) is None:
        return planning.seats(found, common.host())
    return [Seat(**seat) for seat in _ask(there, found, dry_run=True)["nodes"]]


def _carried_out(found: Batch, *, migrate: bool, compare: bool, output: Path | None) -> list[Report]:
    from transproc.automation.batch import report, runner

    if (there := common.remote()) is None:
        ways = [False, True] if compare else [migrate]
        return runner.carry_out(found, _seats(found), common.context(runner.THEN), ways, output)
    answer = _ask(there, found, migrate=migrate, compare=compare)
    reports = [report.from_dict(found, one) for one in answer["reports"]]
    if output is not None:
        with log.step("fetch what was printed"):
            _fetch(there, reports[-1], output)
    return reports


def _ask(there: Client, found: Batch, **how: Any) -> Any:
    from transproc.controller.requests.batch import RunBatch

    return there.perform(RunBatch(found.path.name, **how), log, found.parcel)


def _fetch(there: Client, report: Report, output: Path) -> None:
    """What each run has printed comes here; the controller then forgets those that went well, as we do."""
    from transproc.cluster.events import Silent
    from transproc.controller.requests.jobs import Kill

    for run in report.runs:
        if run.exit is None or not run.stays:
            continue
        for stream, ending in (("stdout", "out"), ("stderr", "err")):
            with (output / f"{run.job}.{ending}").open("wb") as file:
                file.writelines(there.log(run.job, stream))
        if run in report.done:
            there.perform(Kill(run.job, remove=True), Silent())


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


def _judge(reports: list[Report], output: Path | None) -> None:
    """Raises for what did not go well."""
    from transproc.automation.batch import report

    if reports[-1].interrupted:
        raise KeyboardInterrupt
    if differing := report.differing(reports):
        raise TransprocError(f"with migration other output than without: {', '.join(differing)}")
    if bad := [
        (run.job, run.exit)
        for one in reports
        for run in one.runs
        if len(one.done) < len(one.runs) and run not in one.done
    ]:
        raise TransprocError(
            f"{len(bad)} runs did not end well: {'; '.join(f'{job}: {exit}' for job, exit in bad[:5])}",
            hint=f"'transproc logs --stderr {bad[0][0]}'" + (f", {output / bad[0][0]}.err" if output else ""),
        )


app = common.application(batch)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc history`: what was begun with jobs, how it ended, and how long each step took."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Annotated

import typer

from transproc.cli import common, completing, options

if TYPE_CHECKING:
    from transproc.cluster.history import AttemptRecord
    from transproc.cluster.job import Job
    from transproc.controller.client import Client


def history(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The job's name.",
            show_default="all jobs",
            autocompletion=completing.jobs,
        ),
    ] = None,
    *,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="So many, the latest.", min=1)] = 50,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Shows what was begun with a job, or with all of them: where it went, how it ended, downtime, bytes; of one job, each step.

    The history of a job ends with its record ('transproc kill --remove'). What has no end is under way, or was cut off:
    'transproc recover' settles it.

    \b
    Examples:
      transproc history
      transproc history nbody
      transproc history nbody --json
    """
    job, found = _there(common.remote(), name, limit) if common.remote() else _here(name, limit)
    found.reverse()
    if as_json:
        common.show_json([dataclasses.asdict(one) for one in found])
    elif job is None:
        header = ("STARTED", "JOB", "WHAT", "FROM", "TO", "RESULT", "DOWNTIME", "WHOLE", "SENT")
        common.table([_row(one) for one in found], header)
    else:
        first = found[0].source if found else job.node
        if len(found) < limit:
            typer.echo(f"{_clock(job.started)}  run on {first}: {' '.join(job.argv)}")
        for one in found:
            _show(one)
        if job.exit is not None:
            typer.echo(f"ended on {job.node}: {job.exit}")


def _here(name: str | None, limit: int) -> tuple[Job | None, list[AttemptRecord]]:
    """The job, if one is meant, and what was begun, latest first."""
    job = None if name is None else common.host().store.load(name)
    reader = common.host().reader
    return job, reader.latest(limit) if job is None else reader.attempts(job.name, limit)


def _there(client: Client | None, name: str | None, limit: int) -> tuple[Job | None, list[AttemptRecord]]:
    """The same, of a controller."""
    from transproc.cluster.history import AttemptRecord, StepRecord
    from transproc.cluster.job import Job

    assert client is not None
    detail = None if name is None else client.get(f"/jobs/{name}")
    entries = client.get("/history", limit=limit) if detail is None else detail["attempts"][:limit]
    found = [
        AttemptRecord(**{**entry, "steps": tuple(StepRecord(**step) for step in entry["steps"])})
        for entry in entries
    ]
    known = [field.name for field in dataclasses.fields(Job)]
    words = {key: value for key, value in (detail or {}).items() if key in known}
    return (Job.from_dict({**words, "history": []}) if detail else None), found


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _row(one: AttemptRecord) -> tuple[str, ...]:
    from transproc.text import human

    whole = "" if one.ended is None else f"{one.ended - one.started:.2f} s"
    return (
        *(_clock(one.started), one.job, one.kind, one.source),
        *(one.target or "", one.result or "no end"),
        *("" if one.downtime is None else f"{one.downtime:.2f} s", whole),
        "" if one.bytes is None else human(one.bytes),
    )


def _show(one: AttemptRecord) -> None:
    """An attempt with its steps."""
    started, _, kind, source, target, result, downtime, whole, sent = _row(one)
    way = f"{source} → {target}" if target else source
    facts = [f"downtime {downtime}" if downtime else "", f"as a whole {whole}" if whole else "", sent]
    typer.echo(f"{started}  {kind} {way}: {', '.join([result, *filter(None, facts)])}")
    width = max((len(step.name) for step in one.steps), default=0)
    for step in one.steps:
        took = "  not ended" if step.seconds is None else f"{step.seconds:9.3f} s"
        typer.echo(f"    {step.name.ljust(width)} {took}  {step.detail}".rstrip())
    if one.outcome:
        typer.echo(f"    {one.outcome}")


app = common.application(history)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc ps`: the jobs, from the records; nodes are asked beside each other, and not waited for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.cluster.job import Job, State
from transproc.cluster.store import JobStore
from transproc.errors import NodeError, TransprocError

DEADLINE = 1.0
"""Seconds that nodes have to say whether their jobs still run."""
STALE = "?"
"""Behind a state that its node has not confirmed in that time."""


def ps(
    *,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Do not ask the nodes whether jobs have ended.")
    ] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Lists the jobs of this host, where each is, and in which state.

    \b
    States: running; owing (runs, and a part of its memory is still to come); paused, dumped, transformed,
    shipped, restored (all stopped: 'transproc resume NAME' lets the job go on); exited; unknown (its node
    cannot be reached). With a question mark it is what was recorded last: the node has not answered within
    a second.

    \b
    Examples:
      transproc ps
      transproc ps --recorded --json
    """
    found: dict[str, Job | None]
    if (there := common.remote()) is not None:  # it asks the nodes by itself, every few seconds
        jobs = [Job.from_dict({"history": [], **entry}) for entry in there.jobs()]
        found = {} if recorded else {job.name: job for job in jobs}
    else:
        store = JobStore()
        jobs = list(_readable(store))
        found = {} if recorded else _asked(store, [job for job in jobs if job.runs])
    if as_json:
        common.show_json([_entry(job, found, recorded=recorded) for job in jobs])
        return
    rows = []
    for record in jobs:
        entry = found.get(record.name, record)
        job = record if entry is None else entry
        stale = job.runs and not recorded and record.name not in found
        state = "unknown" if entry is None else _state(job) + STALE * stale
        rows.append((job.name, state, _where(job), job.pid, job.moves, " ".join(job.argv)))
    common.table(rows, ("NAME", "STATE", "NODE", "PID", "HOPS", "COMMAND"))


def _readable(store: JobStore) -> Iterator[Job]:
    """One damaged record must not hide the other jobs."""
    for name in store.names():
        try:
            yield store.load(name)
        except TransprocError as error:
            typer.echo(f"{error.message}; {error.hint}", err=True)


def _asked(store: JobStore, jobs: Sequence[Job]) -> dict[str, Job | None]:
    """What nodes say of running jobs before the deadline; None: the node cannot be reached."""
    if not jobs:
        return {}
    from transproc.cluster.beside import beside

    for name in {job.node for job in jobs}:
        with suppress(TransprocError):  # said by each of its jobs
            common.node(name)
    questions = {job.name: partial(_ask, store, job) for job in jobs}
    found: dict[str, Job | None] = {}
    for name, answer in beside(questions, DEADLINE).items():
        if isinstance(answer, NodeError):
            found[name] = None
        elif not isinstance(answer, TransprocError):
            found[name] = answer
        # else its record has gone meanwhile, or is being changed: what is known stays
    return found


def _ask(store: JobStore, job: Job) -> Job:
    from transproc.cluster.watch import refresh

    return refresh(store, job, common.place_of(job))


def _entry(record: Job, found: dict[str, Job | None], *, recorded: bool) -> dict[str, object]:
    """For programs: the record, and whether its node has confirmed it."""
    answer = found.get(record.name, record)
    job = record if answer is None else answer
    asked = record.runs
    state = "unknown" if answer is None else _state(job)
    return {**job.as_dict(), "state": state, "stale": asked and (recorded or record.name not in found)}


def _state(job: Job) -> str:
    return f"exited ({job.exit})" if job.state is State.EXITED else str(job.state)


def _where(job: Job) -> str:
    copies = f"stopped copy on {', '.join(job.leftovers)}" if job.leftovers else ""
    beside = ", ".join(filter(None, (job.owes, copies)))
    return f"{job.node} → {job.target}" if job.target else job.node + (f" ({beside})" if beside else "")


app = common.application(ps)

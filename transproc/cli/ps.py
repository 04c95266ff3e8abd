"""`transproc ps`: the jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from transproc.cli import common
from transproc.cluster.job import Job, State
from transproc.cluster.store import JobStore
from transproc.cluster.watch import refresh
from transproc.errors import NodeError, TransprocError


def ps(as_json: Annotated[bool, common.JSON] = False) -> None:
    """Lists the jobs of this host, where each is, and in which state.

    \b
    States: running; paused, dumped, transformed, restored (all stopped: 'transproc resume NAME' lets the job
    go on); exited; unknown (its node does not answer).
    """
    store = JobStore()
    jobs = [(job, _state(store, job)) for job in _readable(store)]
    if as_json:
        common.show_json([{**job.as_dict(), "state": state} for job, state in jobs])
        return
    rows = [(job.name, state, _where(job), job.pid, job.moves, " ".join(job.argv)) for job, state in jobs]
    common.table(rows, ("NAME", "STATE", "NODE", "PID", "HOPS", "COMMAND"))


def _readable(store: JobStore) -> Iterator[Job]:
    """One damaged record must not hide the other jobs."""
    for name in store.names():
        try:
            yield store.load(name)
        except TransprocError as error:
            typer.echo(f"{error.message}; {error.hint}", err=True)


def _state(store: JobStore, job: Job) -> str:
    try:
        if job.state is State.RUNNING:
            job = refresh(store, job, common.place_of(job))
    except NodeError:
        return "unknown"
    return f"exited ({job.exit})" if job.state is State.EXITED else job.state


def _where(job: Job) -> str:
    left = f" (stopped copy on {', '.join(job.leftovers)})" if job.leftovers else ""
    return f"{job.node} → {job.target}" if job.target else job.node + left


app = common.application(ps)

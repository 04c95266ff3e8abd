# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job moves: as a whole (`migrate`), or step by step. After each step by hand it is stopped, and `resume` undoes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from transproc.cluster.job import Hop, Job, State, expect
from transproc.cluster.migration import KIND, Migration
from transproc.cluster.move import Move
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.recover import settle
from transproc.cluster.place import Liveness, PauseRequest
from transproc.cluster.start import address_of
from transproc.cluster.store import Result
from transproc.errors import TransprocError
from transproc.isa import ALL
from transproc.process.criu import Options


def migrate(
    context: Context,
    name: str,
    to: str,
    *,
    at: str | None = None,
    timeout: float = 10.0,
    options: Options | None = None,
    keep: bool = False,
) -> Hop:
    """Moves a running or paused job to another node, as a whole or not at all.

    `at`: it is stopped not before this function or address; `timeout` of the pause, in seconds; `keep`: the images stay on this
    host (`JobStore.move`), until the job moves again or is removed. Raises `MigrationError`, whose
    outcome says what became of the process, or `TransprocError` if nothing was begun.
    """
    with context.store.lock(name, KIND):
        job = context.current(name)
        context.expect_settled(job)
        expect(job, State.RUNNING, State.PAUSED)
        migration = Migration(
            context.store,
            job,
            context.places(job),
            context.places(job, to),
            transform=context.transform,
            request=PauseRequest(_address(context, job, at), None, timeout),
            options=options,
            keep=keep,
            events=context.events,
            cancel=context.cancel,
        )
        return migration.run()


def pause(
    context: Context, name: str, *, at: str | None = None, count: int | None = None, timeout: float = 10.0
) -> None:
    """Stops a running job at equivalence points: not before `at`, or at the `count`-th site; on failure it runs on."""
    with context.store.lock(name, "pause"):
        job = context.current(name)
        context.expect_settled(job)
        expect(job, State.RUNNING)
        request = PauseRequest(_address(context, job, at), count, timeout)
        move = context.move(job)
        with _stopped(context, move, "pause"):
            _steps(context, [_pausing(move, request)])
            context.cancel.check()


def dump(context: Context, name: str) -> Path:
    """Writes a job's image and brings it to this host, where it is returned; it stays stopped.

    A running job is paused first, and runs on after a failure.
    """
    with context.store.lock(name, "dump"):
        job = context.current(name)
        context.expect_settled(job)
        expect(job, State.RUNNING, State.PAUSED)
        move = context.move(job)
        move.source.make_images()
        pausing = [_pausing(move, PauseRequest())] if job.state is State.RUNNING else []
        with _stopped(context, move, "dump"):
            _steps(context, [*pausing, ("dump", move.dump), ("fetch", move.fetch)])
    return move.images / "dump"


def _pausing(move: Move, request: PauseRequest) -> tuple[str, Callable[[], str]]:
    return f"pause {move.job.name} on {move.job.node}", lambda: move.pause(request)


@contextmanager
def _stopped(context: Context, move: Move, kind: str) -> Iterator[None]:
    """For what stops a job: after a failure it is as it was before."""
    before = move.job.state
    with context.cancel.deferred(), context.attempt(move.job, kind):
        try:
            yield
        except BaseException:
            move.undo()
            if before is State.RUNNING and move.job.stopped:
                move.resume_source()
            elif move.job.state is not before:
                move.keep(before)
            raise


def transform(context: Context, name: str, to: str | None = None) -> Path:
    """Turns a dumped job's image into one for an ISA, by default the other one, and returns where it is."""
    with context.store.lock(name, "transform"):
        job = context.store.load(name)
        context.expect_settled(job)
        expect(job, State.DUMPED, State.TRANSFORMED)
        move = context.move(job)
        isa = to or next(isa.name for isa in ALL if isa.name != move.source.node.isa)
        _steps(context, [(f"transform {name} to {isa}", lambda: move.transform(isa))])
    return move.images / "image"


def restore(context: Context, name: str, node: str) -> None:
    """Restores a transformed job on another node; both copies are stopped then. On failure nothing is left there."""
    with context.store.lock(name, "restore"):
        job = context.store.load(name)
        context.expect_settled(job)
        expect(job, State.TRANSFORMED)
        move = context.move(job, node)
        steps = [
            ("preflight", move.preflight),
            ("prepare", move.prepare),
            ("ship", move.ship),
            ("restore", move.restore),
            ("verify", move.verify),
        ]
        with context.cancel.deferred(), context.attempt(job, "restore", node):
            try:
                _steps(context, steps)
            except BaseException:
                move.undo()
                if left := move.abandon_target(never_ran=True):
                    context.events.note(f"node {node} could not be cleaned: {left}")
                raise


def resume(context: Context, name: str, *, source: bool = False, force: bool = False) -> Job:
    """Lets a stopped job go on, never two copies of it; returns its record.

    A restored job goes on on its new node, and the old copy ends; with `source` the new one is removed, also, with `force`, if
    that node does not answer. What a cut-off command has begun is settled first.
    """
    with context.store.lock(name, "resume"):
        job = context.store.load(name)
        cut_off = context.store.unsettled(job)
        if cut_off and not (source and job.target):
            settle(context, job)
            if job.state is State.RUNNING:
                return job
        expect(job, State.PAUSED, State.DUMPED, State.TRANSFORMED, State.RESTORED)
        move = context.move(job, job.target)
        with context.attempt(job, "resume", job.target):
            if job.target is None or source:
                with context.events.step(f"resume {name} on {job.node}"):
                    move.abandon_target(never_ran=force)
                    move.resume_source()
                if cut_off:
                    context.store.settle(cut_off.number, Result.UNDONE, f"{name} runs on {job.node}")
            else:
                with context.events.step(f"resume {name} on {job.target}"):
                    _take_over(context, move)
        return job


def _take_over(context: Context, move: Move) -> None:
    liveness = move.target.liveness(move.job.pid)
    if liveness is Liveness.GONE:
        raise TransprocError(
            f"job {move.job.name}: there is no copy on node {move.target.node.name}",
            hint=f"'transproc resume {move.job.name} --source' lets the one on {move.source.node.name} go on",
        )
    if liveness is Liveness.RUNNING:
        move.adopt()
    else:
        move.commit()
    if left := move.retire():
        context.events.note(left)


def _steps(context: Context, steps: list[tuple[str, Callable[[], str]]]) -> None:
    for name, action in steps:
        context.cancel.check()
        with context.events.step(name) as step:
            step.detail = action()


def _address(context: Context, job: Job, where: str | None) -> int | None:
    """The address that a user names: equal in both binaries."""
    if where is None:
        return None
    return address_of(context.store.pair(job.name) / f"{job.program}.x86_64", where)

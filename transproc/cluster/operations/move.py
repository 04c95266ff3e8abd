# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job moves: as a whole (`migrate`), or step by step. After each step by hand it is stopped, and `resume` undoes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from transproc.cluster import checkpoints
from transproc.cluster.job import Hop, Job, State, expect
from transproc.cluster.look import Liveness
from transproc.cluster.migration import Migration
from transproc.cluster.move import Move
from transproc.cluster.operations.checkpoint import checkpoint
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.recover import bring_rest, insurance, settle
from transproc.cluster.phase import KIND
from transproc.cluster.place import PauseRequest
from transproc.cluster.store import Result
from transproc.errors import TransprocError
from transproc.isa import ALL
from transproc.process.criu import Options

T = TypeVar("T")


def migrate(
    context: Context,
    name: str,
    to: str,
    *,
    at: str | None = None,
    timeout: float = 10.0,
    options: Options | None = None,
    keep: bool = False,
    stay_paused: bool = False,
    checkpoint_first: bool = False,
) -> Hop:
    """Moves a running or paused job to another node, as a whole or not at all.

    `options`: how its memory goes; found out by default. `at`: it is stopped not before this function or address; `timeout` of
    the pause, in seconds; `keep`: the images stay on this host (`JobStore.move`), until the job moves again or is removed;
    `stay_paused`: it is stopped on the other node, too; `checkpoint_first`: a checkpoint of it is kept until all of its memory
    is there.

    Raises `MigrationError`, whose outcome says what became of the process, or `TransprocError` if nothing was begun.
    """
    if checkpoint_first:
        with _insured(context, name, timeout, options):
            return migrate(
                context,
                name,
                to,
                at=at,
                timeout=timeout,
                options=options,
                keep=keep,
                stay_paused=stay_paused,
            )
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
            request=PauseRequest(context.address(job, at), None, timeout),
            options=options or Options(choose=True),
            keep=keep,
            stay_paused=stay_paused,
            events=context.events,
            cancel=context.cancel,
        )
        return migration.run()


@contextmanager
def _insured(context: Context, name: str, timeout: float, options: Options | None) -> Iterator[None]:
    """With a checkpoint, which is removed when the job needs nothing of its old node any more."""
    plain = Options(tcp_close=options.tcp_close) if options else None
    first = checkpoint(context, name, timeout=timeout, options=plain)
    try:
        yield
    finally:
        job = context.store.load(name) if name in context.store.names() else None
        if job and job.state is State.OWING:
            context.events.note(insurance(job, first.path))
        else:
            checkpoints.remove(first.path)


def pause(
    context: Context, name: str, *, at: str | None = None, count: int | None = None, timeout: float = 10.0
) -> None:
    """Stops a running job at equivalence points: not before `at`, or at the `count`-th site; on failure it runs on.

    A paused job goes on until then, and never runs unwatched in between: no pass of `at` is missed.
    """
    with context.store.lock(name, "pause"):
        job = context.current(name)
        context.expect_settled(job)
        further = at is not None or count is not None
        expect(job, State.RUNNING, *([State.PAUSED] if further else []))
        request = PauseRequest(context.address(job, at), count, timeout)
        move = context.move(job)
        if job.state is State.PAUSED:
            with context.cancel.deferred(), context.attempt(job, "pause"):
                _go_on_to(context, move, request)
            return
        with _stopped(context, move, "pause"):
            _steps(context, [_pausing(move, request)])
            context.cancel.check()


def _go_on_to(context: Context, move: Move, request: PauseRequest) -> None:
    """A paused job; after a failure it runs, as one does that cannot be paused."""
    move.keep(State.RUNNING)
    try:
        _steps(context, [_pausing(move, request)])
    except BaseException as error:
        move.undo()
        if move.source.liveness(move.job.pid) is not Liveness.GONE:
            move.resume_source()
            _tell(error, move.job)
        raise


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
        pausing = [_pausing(move, PauseRequest(quiet=True))] if job.state is State.RUNNING else []
        with _stopped(context, move, "dump"):
            _steps(context, [*pausing, ("dump", move.dump), ("fetch", move.fetch)])
    return move.images / "dump"


def look(context: Context, name: str, see: Callable[[Path], T], *, timeout: float = 10.0) -> T:
    """Stops a running job for a moment, and returns what `see` makes of its image, which is removed then: it is memory.

    The job goes on before `see` is called, and after a failure. `timeout` of the pause, in seconds.
    """
    with context.store.lock(name, "look"):
        job = context.current(name)
        context.expect_settled(job)
        expect(job, State.RUNNING)
        move, image = context.move(job), context.store.glance(name)
        shutil.rmtree(image, ignore_errors=True)
        move.source.make_images()

        def go_on() -> str:
            (move.images / "dump").rename(image)
            move.resume_source()
            return ""

        try:
            with _stopped(context, move, "look"):
                pause = _pausing(move, PauseRequest(timeout=timeout, quiet=True))
                _steps(context, [pause, ("dump", move.dump), ("fetch", move.fetch), ("resume", go_on)])
            return see(image)
        finally:
            shutil.rmtree(image, ignore_errors=True)


def _pausing(move: Move, request: PauseRequest) -> tuple[str, Callable[[], str]]:
    return f"pause {move.job.name} on {move.job.node}", lambda: move.pause(request)


def _tell(error: BaseException, job: Job) -> None:
    """A step has failed, and all is in order again: its message says so."""
    if isinstance(error, TransprocError) and job.state is not State.EXITED:
        error.tell(f"{job.name} {job.words} on {job.node}")


@contextmanager
def _stopped(context: Context, move: Move, kind: str) -> Iterator[None]:
    """For what stops a job: after a failure it is as it was before."""
    before = move.job.state
    with context.cancel.deferred(), context.attempt(move.job, kind):
        try:
            yield
        except BaseException as error:
            move.undo()
            if before is State.RUNNING and move.job.stopped:
                move.resume_source()
            elif move.job.state is not before:
                move.keep(before)
            move.recorded()
            _tell(error, move.job)
            raise


def transform(context: Context, name: str, to: str | None = None) -> Path:
    """Turns a dumped job's image into one for an ISA, by default the other one, and returns where it is."""
    with context.store.lock(name, "transform"):
        job = context.store.load(name)
        context.expect_settled(job)
        expect(job, State.DUMPED, State.TRANSFORMED)
        move = context.move(job)
        isa = to or next(isa.name for isa in ALL if isa.name != move.source.node.isa)
        try:
            _steps(context, [(f"transform {name} to {isa}", lambda: move.transform(isa))])
        except BaseException as error:
            _tell(error, job)
            raise
    return move.images / "image"


def ship(context: Context, name: str, node: str) -> None:
    """Sends a transformed job's image, its program and its files to another node. On failure nothing is left there."""
    with context.store.lock(name, "ship"):
        job = context.store.load(name)
        context.expect_settled(job)
        expect(job, State.TRANSFORMED)
        move = context.move(job, node)
        with _on_target(context, move, "ship"):
            _steps(context, _shipping(move))
            context.cancel.check()
            move.keep(State.SHIPPED)


def restore(context: Context, name: str, node: str) -> None:
    """Restores a transformed job on another node, the one that it was shipped to if it was; both copies are stopped then.

    On failure nothing is left there.
    """
    with context.store.lock(name, "restore"):
        job = context.store.load(name)
        context.expect_settled(job)
        expect(job, State.TRANSFORMED, State.SHIPPED)
        if job.target not in (None, node):
            raise TransprocError(
                f"job {name}: was shipped to {job.target}, not to {node}",
                hint=f"'transproc resume {name}' lets it go on first",
            )
        move = context.move(job, node)
        shipped = job.state is State.SHIPPED
        with _on_target(context, move, "restore"):
            steps = [("preflight", move.preflight)] if shipped else _shipping(move)
            _steps(context, [*steps, ("restore", move.restore), ("verify", move.verify)])


def _shipping(move: Move) -> list[tuple[str, Callable[[], str]]]:
    return [("preflight", move.preflight), ("prepare", move.prepare), ("ship", move.ship)]


@contextmanager
def _on_target(context: Context, move: Move, kind: str) -> Iterator[None]:
    """For what puts something on the target: after a failure nothing is left there."""
    node = move.target.node.name
    with context.cancel.deferred(), context.attempt(move.job, kind, node):
        try:
            yield
        except BaseException as error:
            move.undo()
            if left := move.abandon_target(never_ran=True):
                context.events.note(f"node {node} could not be cleaned: {left}")
            move.recorded()
            _tell(error, move.job)
            raise


def resume(
    context: Context, name: str, *, source: bool = False, force: bool = False, stay_paused: bool = False
) -> Job:
    """Lets a stopped job go on, never two copies of it; returns its record.

    A restored job goes on on its new node, and the old copy ends; with `source` the new one is removed, also, with `force`, if
    that node does not answer. What a cut-off command has begun is settled first. `stay_paused`: a restored job becomes the
    new node's, and stays stopped there.
    """
    with context.store.lock(name, "resume"):
        job = context.store.load(name)
        cut_off = context.store.unsettled(job)
        if cut_off and not (source and job.target):
            settle(context, job)
            if job.runs:
                return job
        stopped = (State.PAUSED, State.DUMPED, State.TRANSFORMED, State.SHIPPED, State.RESTORED)
        expect(job, *((State.RESTORED,) if stay_paused else stopped))
        move = context.move(job, job.target)
        with context.attempt(job, "resume", job.target):
            if job.state is not State.RESTORED or source:
                with context.events.step(f"resume {name} on {job.node}"):
                    move.abandon_target(never_ran=force)
                    move.resume_source()
                if cut_off:
                    context.store.settle(cut_off.number, Result.UNDONE, f"{name} runs on {job.node}")
            else:
                with context.events.step(f"resume {name} on {job.target}"):
                    _take_over(context, move, stay_paused=stay_paused)
        return job


def _take_over(context: Context, move: Move, *, stay_paused: bool) -> None:
    liveness = move.target.liveness(move.job.pid)
    if liveness is Liveness.GONE:
        raise TransprocError(
            f"job {move.job.name}: there is no copy on node {move.target.node.name}",
            hint=f"'transproc resume {move.job.name} --source' lets the one on {move.source.node.name} go on",
        )
    if liveness is Liveness.RUNNING:
        move.target.plug()
        move.adopt()
    else:
        move.commit(stay_paused=stay_paused)
    if move.job.state is State.OWING:
        bring_rest(context, move.job)
        return
    if left := move.retire():
        context.events.note(left)


def _steps(context: Context, steps: list[tuple[str, Callable[[], str]]]) -> None:
    for name, action in steps:
        context.cancel.check()
        with context.events.step(name) as step:
            step.detail = action()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""After commands, nodes or this host were cut off: whatever was begun is finished or taken back, by asking the nodes.

One copy of each job is left, and what belongs to none is removed. It may be done at any time, and again.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transproc.cluster import scripts
from transproc.cluster.job import Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.migration import bring
from transproc.cluster.move import Move
from transproc.cluster.node import DATA
from transproc.cluster.operations.checkpoint import clear, is_to_end
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.end import end
from transproc.cluster.operations.restart import KIND as RESTART
from transproc.cluster.operations.restart import begun
from transproc.cluster.operations.restart import settle as settle_restart
from transproc.cluster.operations.taking import finish
from transproc.cluster.phase import Phase
from transproc.cluster.place import Place
from transproc.cluster.start import take_back
from transproc.cluster.store import Attempt, Result
from transproc.cluster.undo import owing
from transproc.cluster.watch import record_end, refresh
from transproc.errors import TransprocError
from transproc.text import human


def recover(context: Context, name: str) -> str:
    """Settles what a cut-off command has begun with a job, and removes what it has left; returns what was found, in one line.

    Raises `TransprocError` if another command works on the job, or a node that must be asked does not answer.
    """
    with context.store.lock(name, "recover"):
        job = context.store.load(name)
        if job.state is State.STARTING:
            return _finish_start(context, job)
        if job.state is State.OWING and _runs(context, job):
            outcome = bring_rest(context, job)
        elif context.store.unsettled(job) or (
            job.target and job.state not in (State.SHIPPED, State.RESTORED)
        ):
            outcome = settle(context, job)
        else:
            outcome = _look(context, job)
            _clear_leftovers(context, job)
        if job.state in (State.RUNNING, State.PAUSED, State.EXITED):
            _remove_images(context, job)
        return outcome


def insurance(job: Job, path: Path | None) -> str:
    """What is to be done with a job whose memory will not come any more; `path`: of a checkpoint, if there is one."""
    ways = [f"'transproc kill --remove {job.name}'"]
    if path is not None:
        ways.append(f"'transproc restart {path} --node {job.node}' begins from before that")
    return f"if {job.owed_by} is lost for good, so is what it holds: {', then '.join(ways)}"


def settle(context: Context, job: Job) -> str:
    """What became of a job with which something was begun and not ended. The lock is held."""
    attempt = context.store.unsettled(job)
    with context.events.step(f"recover {job.name}") as step:
        if attempt and attempt.kind == "kill":
            outcome = _finish_kill(context, job)
        elif attempt and is_to_end(context, job, attempt):
            outcome = finish(context, job)
        else:
            move = context.move(job, job.target)
            move.source.become_quiet()
            runs = _let_go(job, attempt) and _target_runs(move)
            outcome = _finish(context, move) if runs else _take_back(context, move, attempt)
        if attempt:
            done = job.node == attempt.target or clear(context, job)
            result = Result.DONE if done else Result.UNDONE
            context.store.settle_all(job, result, outcome)
        step.detail = outcome
    _clear_leftovers(context, job)
    return outcome


def _runs(context: Context, job: Job) -> bool:
    """Whether a program that is owed memory is still there; if not, its end is recorded."""
    place = context.places(job)
    if job.runs and (status := place.ended(job.pid)):
        record_end(context.store, job, status)
    return job.runs


def bring_rest(context: Context, job: Job) -> str:
    """Joins a program that runs with the node that still owes it memory, until that is there. The lock is held.

    Raises `TransprocError` if that cannot be: nothing is lost by that, and the program waits for what it needs.
    """
    move = Move(
        context.store,
        job,
        context.places(job, job.owed_by),
        context.places(job),
        transform=context.transform,
    )
    with context.events.step(f"recover {job.name}: its memory comes from {job.owed_by}") as step:
        try:
            if not move.paging.has_come():
                move.source.become_quiet(0)
            step.detail = human(bring(move, step, context.cancel))
        except TransprocError as error:
            paths = [path for path in context.store.checkpoints(job) if path.is_dir()]
            lost = insurance(job, paths[-1] if paths else None)
            error.hint = error.hint or f"{owing(job)}; {lost}"
            raise
    outcome = f"{job.name} {refresh(context.store, job, move.target, locked=True).words} on {job.node}"
    context.store.settle_all(job, Result.DONE, outcome)
    if left := move.retire():
        context.events.note(left)
    return outcome


def _let_go(job: Job, attempt: Attempt | None) -> bool:
    """Whether the copy on the target may have been let go; if not it is none, even if it seems to run: a restore was cut off."""
    if job.state is not State.RESTORED or job.target is None:
        return False
    return attempt is None or attempt.kind == "resume" or Phase.COMMIT in attempt.steps


def _target_runs(move: Move) -> bool:
    try:
        move.target.become_quiet()
        return move.target.liveness(move.job.pid) is Liveness.RUNNING
    except TransprocError as error:
        name, node = move.job.name, move.job.target
        error.hint = (
            f"if {node} is lost for good: 'transproc resume {name} --source --force' gives its copy up"
        )
        raise


def _finish(context: Context, move: Move) -> str:
    move.target.plug()  # it may have been cut off just before
    move.adopt()
    if move.job.state is State.OWING:
        return bring_rest(context, move.job)
    if left := move.retire():
        context.events.note(left)
    return f"{move.job.name} runs on {move.job.node}"


def _take_back(context: Context, move: Move, attempt: Attempt | None) -> str:
    """The job stays on its node; what is on the target goes."""
    job, before = move.job, attempt.before if attempt else State.RUNNING
    if before is State.SHIPPED:
        before = State.TRANSFORMED  # what was sent is removed
    if attempt and attempt.kind == "resume" and job.state is State.RESTORED:
        before = State.RESTORED  # both copies stand, and its user says which one goes on
    elif left := move.abandon_target(never_ran=not _let_go(job, attempt)):
        context.events.note(f"{left}; what {job.name} has left there is removed later")
    found = move.source.liveness(job.pid)
    if job.state is State.EXITED or found is Liveness.GONE:
        return _gone(move)
    if before in (State.STARTING, State.RUNNING) and found is Liveness.STOPPED:
        move.resume_source()
    elif found is Liveness.RUNNING:
        move.source.plug()
        move.keep(State.RUNNING)
    else:
        move.keep(before)
    return f"{job.name} {job.words} on {job.node}"


def _gone(move: Move) -> str:
    job = move.job
    if job.state is not State.EXITED:
        move.has_ended(move.source.end_of_gone())
    return f"{job.name} has ended on {job.node} ({job.exit})"


def _finish_kill(context: Context, job: Job) -> str:
    end(context, job, remove=False)
    return f"{job.name} has ended ({job.exit})"


def _finish_start(context: Context, job: Job) -> str:
    """The program may have come to life: then it is the job; else nothing of it is left."""
    if (attempt := context.store.unsettled(job)) and attempt.kind == RESTART:
        return settle_restart(context, job, begun(attempt))
    place = context.places(job)
    place.become_quiet()
    status = place.exit_status()
    if (pids := place.found()) or status:
        job.pid = pids[0] if pids else 0
        stopped = bool(pids) and place.liveness(job.pid) is Liveness.STOPPED
        job.state, job.exit = (State.PAUSED if stopped else State.RUNNING), None
        if not pids:
            job.state, job.exit = State.EXITED, status
        context.store.save(job)
        return f"{job.name} {job.words} on {job.node}"
    take_back(context.store, place)
    return f"{job.name} had not begun: nothing of it is left"


def _look(context: Context, job: Job) -> str:
    """Nothing was begun: is the process what the record says?"""
    move = context.move(job, job.target)
    if job.state is not State.EXITED:
        found = move.source.liveness(job.pid)
        if found is Liveness.GONE and job.state is not State.RESTORED:
            return _gone(move)
        if found is Liveness.RUNNING:
            move.source.plug()
    if job.state is State.RESTORED and move.target.liveness(job.pid) is Liveness.GONE:
        move.abandon_target(never_ran=False)  # the node was started anew: the copy here can go on
    return f"{job.name} {job.words} on {job.node}"


def _clear_leftovers(context: Context, job: Job) -> None:
    """A node that does not answer is asked again by the next `recover`, or migration to it."""
    for node in list(job.leftovers):
        try:
            place = context.places(job, node)
            place.become_quiet()
            place.end()
        except TransprocError as error:
            context.events.note(f"{error.message}; what {job.name} has left there is removed later")
            continue
        job.leftovers.remove(node)
        context.store.save(job)


def _remove_images(context: Context, job: Job) -> None:
    context.store.forget_images(job.name)
    shutil.rmtree(context.store.glance(job.name), ignore_errors=True)
    with contextlib.suppress(TransprocError):
        context.places(job).forget_images()


def sweep(context: Context) -> list[str]:
    """Ends and removes, on every node that answers, what belongs to jobs of this host that have no record any more.

    Returns what was found, a line each.
    """
    nodes = list(context.nodes())
    with ThreadPoolExecutor(len(nodes) or 1) as pool:
        return [line for lines in pool.map(lambda node: _sweep(context, node), nodes) for line in lines]


def _sweep(context: Context, node: str) -> Sequence[str]:
    try:
        words = ["sh", "-c", scripts.DIRECTORIES, "sh", str(DATA / "jobs")]
        there = context.places(Job("sweep", node, ["sweep"])).node
        listed = there.output(words).splitlines()
        kept = there.output(["sh", "-c", scripts.KEPT, "sh", str(DATA)]).splitlines()
    except TransprocError as error:
        context.events.note(error.message)
        return []
    found = []
    for name, _, identity in (line.partition(" ") for line in listed):
        if identity.startswith(f"{context.store.host}-") and not _expected(context, name, identity, node):
            _end_place(context.places(Job(name, node, ["sweep"], id=identity)))
            found.append(f"node {node}: removed what was left of {name}")
    for identity in kept:
        if identity.startswith(f"{context.store.host}-") and not _lives(context, identity):
            context.places(Job("sweep", node, ["sweep"], id=identity)).files.forget_kept()
            found.append(f"node {node}: removed the files of a job that has ended")
    return found


def _lives(context: Context, identity: str) -> bool:
    """Whether a job has a record and has not ended; a damaged one may be any."""
    for name in context.store.names():
        try:
            job = context.store.load(name)
        except TransprocError:
            return True
        if job.id == identity:
            return job.state is not State.EXITED
    return False


def _expected(context: Context, name: str, identity: str, node: str) -> bool:
    """Whether a job that has a record may have its directory there: as a rule it is the one of that name."""
    names = context.store.names()
    for job_name in sorted(names, key=lambda other: other != name):
        try:
            job = context.store.load(job_name)
        except TransprocError:
            if job_name == name:
                return True  # damaged: nobody knows
            continue
        if job.id == identity:
            return node in job.nodes
    return False


def _end_place(place: Place) -> None:
    place.become_quiet()
    place.end()

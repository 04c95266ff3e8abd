# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job is written to a directory of the host, from which it can be started again; meanwhile it goes on, or ends then.

How that is done step by step is in `taking.py`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from transproc.cluster.checkpoints import Checkpoint, Draft
from transproc.cluster.job import Job, State, expect
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.taking import END, KIND, Request, Taking
from transproc.cluster.place import PauseRequest
from transproc.cluster.store import Attempt, JobStore
from transproc.cluster.watch import refresh
from transproc.errors import TransprocError
from transproc.process.criu import Options


def place(store: JobStore) -> Path:
    """Where checkpoints are if nothing else is said: in the state directory."""
    return store.directory / "checkpoints"


def checkpoint(
    context: Context,
    name: str,
    to: Path | None = None,
    *,
    files: bool = True,
    exclude: Sequence[str] = (),
    keep: int | None = None,
    end: bool = False,
    at: str | None = None,
    timeout: float = 10.0,
    options: Options | None = None,
) -> Checkpoint:
    """Writes a checkpoint of a running or paused job into the directory `to`, complete or not at all; returns it.

    `files`: those of the working directory are part of it; `exclude`: but for those whose path there matches one of these
    patterns (as a shell's, `*` matches `/` as well) or is below one that does. `keep`: of the job's checkpoints in `to` only so
    many newest ones stay. `end`: the job does not go on, and ends when the checkpoint is written. `at`, `timeout`: as for
    `migrate`.

    Raises `TransprocError`; the job then goes on as before (a node that does not answer: `recover` sees to it).
    """
    if keep is not None and keep < 1:
        raise TransprocError(f"keep {keep}: expected at least 1")
    with context.store.lock(name, KIND):
        job = context.current(name)
        context.expect_settled(job)
        expect(job, State.RUNNING, State.PAUSED)
        address = context.address(job, at)
        request = Request(
            (to or place(context.store)).absolute(),
            tuple(exclude) if files else ("*",),
            keep,
            end,
            PauseRequest(address, None, timeout),
            options or Options(),
        )
        return Taking(context, job, request).run()


def checkpoint_every(
    context: Context,
    name: str,
    seconds: float,
    to: Path | None = None,
    *,
    failed: Callable[[TransprocError], None] | None = None,
    **how: object,
) -> Iterator[Checkpoint]:
    """A checkpoint now and every so many seconds, each as it is written, until the job ends, or `context.cancel` says so.

    `how`: as for `checkpoint`. One that fails is told to `failed` (else noted), and the next one is tried in its time.
    """
    due = time.monotonic()
    while True:
        try:
            found = checkpoint(context, name, to, **how)  # type: ignore[arg-type]
        except TransprocError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise error.__cause__ from error
            if _has_ended(context, name):
                return
            (failed or (lambda error: context.events.note(error.message)))(error)
        else:
            yield found
        due = max(due + seconds, time.monotonic())
        while time.monotonic() < due:
            context.cancel.check()
            time.sleep(min(0.2, max(0.0, due - time.monotonic())))
        if _has_ended(context, name):
            return


def _has_ended(context: Context, name: str) -> bool:
    """Also one that is not there any more. A node that does not answer says nothing."""
    if name not in context.store.names():
        return True
    job = context.store.load(name)
    with contextlib.suppress(TransprocError):
        job = refresh(context.store, job, context.places(job))
    return job.state is State.EXITED


def is_to_end(context: Context, job: Job, attempt: Attempt) -> bool:
    """Whether a job is in a checkpoint that was cut off and is whole, and was not to go on."""
    whole = [path for path in context.store.drafts(job) if path.is_dir()]
    return attempt.kind == KIND and END in attempt.steps and bool(whole)


def clear(context: Context, job: Job) -> bool:
    """Removes what checkpoints that were cut off have left on this host; whether one is whole."""
    paths = context.store.drafts(job)
    for path in paths:
        Draft(path).discard()
    return any(path.is_dir() for path in paths)

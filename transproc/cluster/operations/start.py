# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program becomes a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from transproc.cluster import addresses as own
from transproc.cluster.job import Job, State
from transproc.cluster.operations.context import Context
from transproc.cluster.place import PauseRequest
from transproc.cluster.start import Program, address_of, start
from transproc.cluster.users import choose
from transproc.errors import TransprocError


def run(
    context: Context,
    program: Program,
    node: str,
    *,
    name: str | None = None,
    pause_at: str | None = None,
    timeout: float = 10.0,
    terminal: bool = False,
    user: str | None = None,
    starter: str | None = None,
    addresses: Sequence[str] = (),
    gateways: Sequence[str] = (),
    keep_files: bool = False,
) -> Job:
    """Starts a program on a node, as a whole or not at all; returns its record.

    `name`: by default after the program. `pause_at`: it is stopped when it gets to that function or address, within `timeout`
    seconds. `terminal`: its standard streams are a terminal. `user`: whom it runs as; `starter`: the same where the node knows
    that name, if no `user` is given. `addresses` (ADDRESS/PREFIX): move with it; `gateways` lead out of their networks.
    `keep_files`: a node that it leaves keeps a copy of its files.
    """
    pause = None
    user, starter = user or context.user, starter or context.starter
    words = [program.name, *program.argv[1:]]
    name = name or context.store.free_name(program.name)
    job = Job(name, node, words, terminal=terminal, keeps_files=keep_files)
    job.addresses, job.gateways = list(addresses), list(gateways)
    expect_addresses(context, job)
    if pause_at is not None:
        isa = context.places(job).node.isa
        pause = PauseRequest(at=address_of(program.pair()[isa].path, pause_at), timeout=timeout)
    with context.events.step(f"start {job.name} on {node}") as step:
        choose(job, context.places(job).node, context.events, user=user, starter=starter)
        with replacing(context, job):
            start(context.store, context.places(job), program, pause=pause, cancel=context.cancel)
        step.detail = f"pid {job.pid}"
    return job


@contextmanager
def replacing(context: Context, job: Job) -> Iterator[None]:
    """In it a job takes the place of an ended one of its name: what another node has of that is removed then, if it answers."""
    earlier = None
    if job.name in context.store.names():
        with suppress(TransprocError):  # a damaged record
            earlier = context.store.load(job.name)
    yield
    if earlier is None or earlier.state is not State.EXITED or earlier.node == job.node:
        return
    try:
        context.places(earlier).remove()
    except TransprocError as error:
        context.events.note(
            f"{error.message}; what the {job.name} of before has there is left: 'transproc recover' removes it later"
        )


def expect_addresses(context: Context, job: Job) -> None:
    """Raises `TransprocError` if a job cannot have its addresses at all, or another one of this host has them, which does not
    answer for them on the network while it is being moved.
    """
    own.check(job.addresses, job.gateways)
    wanted = {own.plain(address) for address in job.addresses}
    for name in context.store.names() if wanted else ():
        try:
            other = context.store.load(name)
        except TransprocError:
            continue  # damaged: the network tells
        taken = wanted & {own.plain(address) for address in other.addresses}
        if taken and other.state is not State.EXITED and other.id != job.id:
            raise TransprocError(
                f"address {min(taken)}: is that of job {name}", hint="give the job another one"
            )

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be known to fail before a process is touched: the nodes, the room on them, and what the process holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from transproc.cluster.facts import too_high
from transproc.cluster.job import Job, State
from transproc.cluster.look import Look, Room
from transproc.cluster.node import DATA
from transproc.cluster.place import Place
from transproc.errors import TransprocError, UnsupportedError
from transproc.isa import Isa, by_name
from transproc.process import inspect
from transproc.process.answers import ProcessState
from transproc.process.capabilities import names
from transproc.process.criu import Options
from transproc.text import human

LARGE = 64 << 20
"""Bytes of memory from which on it is faster without an image: measured between native nodes (docs/benchmarks.md)."""
AHEAD = LARGE
"""Bytes of memory from which on it is sent ahead of a program, where nothing else is asked for: then it is down for a sixth of
the time, and the whole takes a tenth more (docs/benchmarks.md). Less memory goes in images."""
LIMITS_OF_OTHERS = 1 << 24
"""CAP_SYS_RESOURCE (linux/capability.h), for prlimit(2) on processes of other users."""
WATCHED = 256 << 20
"""Bytes of memory from which on the kernel takes long to tell of the mappings (runtime/tool/watch.h): some 15 ms for each GB."""


@dataclass(frozen=True)
class Needs:
    """What a tree asks of the node where it is to go on.

    `memory`: bytes of private memory; `deleted`: bytes of open files without a name, which are in the image; `ids`: of processes
    and threads; `capabilities`: a mask; `outside`: files beyond the job's directory, with the sizes of those that are open.
    """

    memory: int = 0
    deleted: int = 0
    ids: list[int] = field(default_factory=list)
    capabilities: int = 0
    outside: dict[str, int | None] = field(default_factory=dict)


def needs_of(look: Look, directory: str) -> Needs:
    """Of a job in a directory."""
    capabilities = 0
    for view in look.views:
        capabilities |= view.capabilities
    return Needs(
        memory=sum(view.memory for view in look.views),
        deleted=inspect.deleted(look.views),
        ids=[thread.tid for process in look.processes for thread in process.threads],
        capabilities=capabilities,
        outside=inspect.outside(look.views, directory),
    )


def check(job: Job, source: Place, look: Look, target: Place, options: Options) -> Options:
    """Raises `UnsupportedError` for what cannot be moved at all, `TransprocError` for what stands in the way now.

    `look`: at the job on the source. Returns the options, with those that this program needs.
    """
    _check_nodes({source: look.room, target: target.room})
    same = source.node.isa == target.node.isa
    options = check_source(job, source, look, None if same else by_name(target.node.isa), options)
    needs = needs_of(look, target.directory)
    check_target(job, needs, target)
    _check_space(look, target, same=same)
    target.expect_addresses(reached=job.state in (State.RUNNING, State.PAUSED))
    check_room(needs.memory + needs.deleted, source, look.room)
    if options.choose and options.withhold and job.state is State.RUNNING and needs.memory >= AHEAD:
        options = replace(options, precopy=target.can_borrow)
    return replace(options, withhold=_withholds(needs, target, options))


def _withholds(needs: Needs, target: Place, options: Options) -> bool:
    """Whether pages of large memory go from process to process, not into an image. Raises `UnsupportedError` if they must, and
    cannot."""
    if not options.follows and not (options.withhold and needs.memory >= LARGE):
        return False
    if options.follows and not target.can_borrow:
        raise UnsupportedError(
            f"node {target.node.name}: criu finds no userfaultfd there, by which memory comes to a program by itself",
            hint="migrate without --lazy and --precopy; kernels have it with CONFIG_USERFAULTFD, and containers may forbid it",
        )
    return target.can_borrow


def check_source(job: Job, source: Place, look: Look, isa: Isa | None, options: Options) -> Options:
    """The part about the job where it is. `isa`: it is to go on with another one, this."""
    _check_nodes({source: look.room})
    _check_compiled(job, look.processes)
    found = inspect.problems(
        look.views,
        program=source.program,
        files=source.data,
        target=isa,
        connections=options.connections or options.tcp_close,
    )
    if found:
        raise UnsupportedError("\n".join(problem.message for problem in found), hint=found[0].hint)
    _check_criu_may(job, source, look.room)
    return replace(options, link_remap=inspect.linked(look.views, source.data))


def check_target(job: Job, needs: Needs, target: Place) -> None:
    """The part about the node where a job is to go on, which may have been dumped long ago."""
    _check_nodes({target: target.room})
    _check_capabilities(needs, target)
    _check_user(job, target)
    _check_criu_may(job, target, target.room)
    _check_ids(target, needs.ids)
    _check_files(needs, target)
    check_room(needs.memory + needs.deleted, target, target.room)
    _check_memory(needs, target)


def _check_nodes(rooms: Mapping[Place, Room]) -> None:
    for place, room in rooms.items():
        place.check_criu()
        page, expected = room.page, by_name(place.node.isa).page_size
        if page != expected:
            raise UnsupportedError(
                f"node {place.node.name}: has pages of {page} bytes, expected {expected}",
                hint="boot a kernel with pages of 4 KiB there (CONFIG_ARM64_4K_PAGES)",
            )


def _check_space(look: Look, target: Place, *, same: bool) -> None:
    """Some kernels give processes less than the ISA allows: 39 bits of addresses instead of 48 (CONFIG_ARM64_VA_BITS)."""
    bits = target.room.space
    if bits >= (by_name(target.node.isa).address_limit - 1).bit_length():
        return
    for view in look.views:
        if beyond := inspect.above(view, 1 << bits, same=same):
            raise UnsupportedError(
                f"process {view.pid} has a mapping at {beyond:#x}, node {target.node.name} has addresses of {bits} bits",
                hint="boot a kernel with 48 bits there (CONFIG_ARM64_VA_BITS_48, as Debian's and Ubuntu's have)",
            )


def _check_compiled(job: Job, processes: Sequence[ProcessState]) -> None:
    for process in processes:
        # A zombie has no executable: it moves as what it is.
        if not process.index and not all(thread.state in "ZX" for thread in process.threads):
            raise UnsupportedError(
                f"process {process.pid} of job {job.name} executes a program that was not linked by transproc-cc",
                hint="compile the program, and what it executes, with transproc-cc",
            )


def _check_capabilities(needs: Needs, target: Place) -> None:
    """CRIU gives each thread its own again, and can give none that it lacks itself."""
    if missing := names(needs.capabilities & ~target.room.capabilities):
        raise TransprocError(
            f"node {target.node.name}: cannot give the program what it has: {', '.join(sorted(missing))}",
            hint="give transproc these capabilities there, or start the program without (setpriv --bounding-set, --inh-caps)",
        )


def _check_user(job: Job, target: Place) -> None:
    """Processes and files keep their numbers, so these must mean the same. One who is unknown there can do no harm."""
    found = target.room.uid
    if job.user and found is not None and found != job.uid:
        raise TransprocError(
            f"node {target.node.name}: user {job.user} has the number {found}, expected {job.uid}",
            hint="a job keeps its user's number: give users the same numbers on all nodes",
        )


def _check_criu_may(job: Job, place: Place, room: Room) -> None:
    if job.user and not room.capabilities & LIMITS_OF_OTHERS:
        raise TransprocError(
            f"node {place.node.name}: criu lacks cap_sys_resource, without which it cannot move programs of user {job.user}",
            hint="give transproc this capability there, or start the program with --user root",
        )


def _check_ids(target: Place, ids: Sequence[int]) -> None:
    if reason := too_high(max(ids, default=0), target.room.ids):
        raise TransprocError(
            f"node {target.node.name}: {reason}",
            hint="raise the limit there: sysctl -w kernel.pid_max=4194304",
        )
    taken = target.taken(ids)
    if taken:
        raise TransprocError(
            f"node {target.node.name}: process ids in use: {', '.join(map(str, taken))}",
            hint="a process keeps its ids when it moves; end those processes, or start the job again",
        )


def _check_files(needs: Needs, target: Place) -> None:
    """CRIU opens files by their paths, and wants those that were open to have the same size."""
    wanted = needs.outside
    hint = "let the program keep its files in its working directory, which moves with it, or copy them there first"
    for (path, size), found in zip(wanted.items(), target.sizes(list(wanted)) if wanted else [], strict=True):
        if found is None:
            raise TransprocError(
                f"node {target.node.name}: the program uses {path}, which is not there", hint=hint
            )
        if size is not None and size != found:
            raise TransprocError(
                f"node {target.node.name}: the program has opened {path}: expected {size} bytes, found {found}",
                hint=hint,
            )


def check_room(needed: int, place: Place, room: Room) -> None:
    """The image holds at least the private memory, and deleted files; it lies on the source first, then on the target."""
    if room.free < needed:
        raise TransprocError(
            f"node {place.node.name}: {human(room.free)} are free in {DATA}, the image needs {human(needed)}",
            hint="make room there, or move the job to another node",
        )


def _check_memory(needs: Needs, target: Place) -> None:
    needed, available = needs.memory, target.room.memory
    if available < needed:
        raise TransprocError(
            f"node {target.node.name}: {human(available)} of memory are available, the processes have {human(needed)}",
            hint="end something there, or move the job to another node",
        )

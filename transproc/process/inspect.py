# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What of a running tree forbids a migration: known before the process is touched.

The node's pause tool tells once what /proc does (`view`); all judging is done here. What is not visible there (what a CRIU
image alone shows) is refused later, by CRIU or the transformer, and the process then runs on as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from transproc.images.flags import PORTABLE_DEVICES, PTS, is_terminal
from transproc.isa import Isa
from transproc.process.view import DELETED, SHARED_MEMORY, Descriptor, Machine, View

DUMPABLE = frozenset({"[eventfd]", "[eventpoll]", "[signalfd]", "[timerfd]", "[pidfd]", "inotify"})
"""Anonymous inodes that mean the same on another machine; others (io_uring, bpf, perf_event…) belong to one kernel."""
GHOST_LIMIT = (1 << 32) - 4096
"""Bytes of a deleted file, at most: CRIU computes with 32 bits there."""
KERNEL_MAPPINGS = ("[stack]", "[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]")
"""Made anew on the target, wherever they were."""
_ELSEWHERE = (
    "where a node lets a job have a /dev/shm of its own, what it has there moves (docs/limits.md); else share memory without a "
    "name (MAP_ANONYMOUS), System V's, or a mapped file in the job's directory; programs have options for it, PostgreSQL "
    "dynamic_shared_memory_type = mmap"
)
PSEUDO_FILES = ("/dev/", "/proc/", "/sys/")


@dataclass(frozen=True)
class Problem:
    """Why a tree cannot be moved, and what its user can do about it."""

    message: str
    hint: str


def problems(
    views: Sequence[View], *, program: str, files: str, target: Isa | None, connections: bool = False
) -> list[Problem]:
    """Everything that forbids to move the tree.

    `program`: the job's executable; `files`: the directory that moves with it; `target`: None for the same ISA;
    `connections`: those of TCP are no hindrance, as they go on or may be ended.
    """
    found = []
    masters = set().union(*(view.masters for view in views))
    for view in views:
        connected = set() if connections else view.connected
        found += [*_executable(view, program), *_descriptors(view, connected, masters), *_mappings(view)]
        found += _removed(view, files)
        if view.machine is not None:
            found += _outside_of(view.pid, view.machine, views, program)
        if target is not None:
            found += [*_seccomp(view), *_beyond(view, target)]
    return list(dict.fromkeys(found))


def linked(views: Iterable[View], files: str) -> bool:
    """Whether a file is open whose name was removed, and that has another one; or may be mapped, of which /proc does not tell."""
    return any(
        any(d.removed and d.names for d in view.descriptors)
        or any(name.endswith(DELETED) and name.startswith(f"{files}/") for _, _, name in view.mappings)
        for view in views
    )


def deleted(views: Iterable[View]) -> int:
    """Bytes of the open files that have no name any more: they are part of an image."""
    return sum(d.size for view in views for d in view.descriptors if d.removed and not d.names)


def outside(views: Iterable[View], directory: str) -> dict[str, int | None]:
    """Files beyond the job's `directory` that a restore opens by their paths; with the size that an open one must have there."""
    found: dict[str, int | None] = {}
    for view in views:
        found |= dict.fromkeys([view.directory, *(name for _, _, name in view.mappings)])
    for view in views:
        found |= {d.link: d.size if d.type == "-" else None for d in view.descriptors if d.type in "-d"}
    return {
        path: size
        for path, size in found.items()
        if path.startswith("/") and not path.endswith(DELETED) and not path.startswith(PSEUDO_FILES)
        and not PurePosixPath(path).is_relative_to(directory)
    }  # fmt: skip


# --- judging ---------------------------------------------------------------------------------------------------------


def _executable(view: View, program: str) -> Iterator[Problem]:
    if view.executable.removesuffix(DELETED) != program:
        message = f"process {view.pid} executes {view.executable}, expected {program}: of another program there is no pair"
        yield Problem(message, "let the program end what it has started, and migrate then")


def _outside_of(root: int, machine: Machine, views: Iterable[View], program: str) -> Iterator[Problem]:
    """What would stay behind: processes that have left the tree, and those at the other end of its pipes and sockets."""
    for pid, executable in machine.executables.items():
        if (
            executable.removesuffix(DELETED) == program
            and pid in machine.parents
            and not machine.is_below(pid, root)
        ):
            yield Problem(
                f"process {pid} has left the tree of process {root}: its parent has ended, and it would stay behind",
                "let each process wait for its children, or let the first adopt them: prctl(PR_SET_CHILD_SUBREAPER, 1)",
            )
    for view in views:
        for descriptor in view.descriptors:
            ends = [("shares", pid) for pid in machine.outsiders(descriptor.link, root)]
            for inode in machine.peers.get(descriptor.inode, []):
                peer = f"socket:[{inode}]"
                ends += [("is connected through", pid) for pid in machine.outsiders(peer, root)]
            for how, pid in ends:
                yield Problem(
                    f"process {view.pid} {how} {descriptor.link} with process {pid}, which would stay behind "
                    f"(descriptor {descriptor.number})",
                    "end that process, or close the pipe or socket, before the migration",
                )


def _seccomp(view: View) -> Iterator[Problem]:
    for tid, mode in view.seccomp.items():
        if mode:
            message = f"thread {tid} has a seccomp filter, which is bound to one ISA's system-call numbers"
            yield Problem(message, "start the program without the filter")


def above(view: View, limit: int, *, same: bool) -> int | None:
    """Where the first mapping begins that ends above a limit; `same`: also those of the kernel stay where they are."""
    return next((start for start, _ in _ending_above(view, limit, kernel=same)), None)


def _ending_above(view: View, limit: int, *, kernel: bool) -> Iterator[tuple[int, int]]:
    for start, end, name in view.mappings:
        if end > limit and name != "[vsyscall]" and (kernel or name not in KERNEL_MAPPINGS):
            yield start, end


def _beyond(view: View, target: Isa) -> Iterator[Problem]:
    limit = target.address_limit
    for start, end in _ending_above(view, limit, kernel=False):
        yield Problem(
            f"mapping {start:#x}-{end:#x} of process {view.pid} lies beyond {target.name}'s address limit {limit:#x}",
            "let the program choose lower addresses (no MAP_FIXED up there), or start it on a node of that ISA",
        )


def _mappings(view: View) -> Iterator[Problem]:
    for start, _, name in view.mappings:
        what, remedy = None, "unmap it before the migration"
        if name.startswith("/[aio]"):
            what = "a queue of io_setup, which belongs to one kernel"
        elif start in view.huge:
            what = "huge pages (MAP_HUGETLB), which criu does not restore from an image in two parts, as ours are"
            remedy = "use madvise with MADV_HUGEPAGE instead, or unmap them before the migration"
        elif name.startswith(SHARED_MEMORY) and not name.endswith(DELETED):
            what = f"the shared memory {name}, which is not in the job's directory"
            remedy = _ELSEWHERE
        elif name.startswith("/dev/") and not name.endswith(DELETED) and not _is_portable(name):
            what = f"the device {name}"
        if what:
            yield Problem(f"process {view.pid} has mapped {what} (at {start:#x})", remedy)


def _descriptors(view: View, connected: set[str], masters: set[str]) -> Iterator[Problem]:
    for descriptor in view.descriptors:
        if descriptor.link.startswith("socket:") and descriptor.inode in connected:
            what: str | None = "a TCP connection, whose peer would have to move along"
            hint = "close it before the migration, or let 'transproc migrate --tcp-close' end it"
        elif descriptor.number in view.semaphores:
            what, hint = (
                "an eventfd that is a semaphore, which criu restores as a counter",
                "use sem_t, or a pipe",
            )
        elif descriptor.number in view.once:
            what, hint = (
                "inotify with a watch that ends with its first event (IN_ONESHOT), which criu restores as one that goes on",
                "let the program remove its watches itself (inotify_rm_watch)",
            )
        else:
            shared = descriptor.link.startswith(SHARED_MEMORY)
            what = _unmovable(descriptor, masters)
            hint = _ELSEWHERE if shared else "close it before the migration"
        if not what and descriptor.type == "d" and view.positions.get(descriptor.number):
            what = f"the directory {descriptor.link} and reads it by getdents64, whose positions mean nothing elsewhere"
            hint = "let the program use readdir, or try again: it may have been opening a stream just now"
        if what:
            yield Problem(f"process {view.pid} has opened {what} (descriptor {descriptor.number})", hint)


def _removed(view: View, files: str) -> Iterator[Problem]:
    """Open files without the name by which they were opened: criu keeps their contents, or finds them by another name."""
    for descriptor in view.descriptors:
        name, what = descriptor.removed, None
        if name and descriptor.names and not PurePosixPath(name).is_relative_to(files):
            what = "which has another name, but is not in the job's directory"
        elif name and not descriptor.names and descriptor.size > GHOST_LIMIT:
            what = f"a deleted file of {descriptor.size} bytes, more than {GHOST_LIMIT}"
        if what:
            yield Problem(
                f"process {view.pid} has opened {name}, {what} (descriptor {descriptor.number})",
                "close it before the migration",
            )


def _unmovable(descriptor: Descriptor, masters: set[str]) -> str | None:
    link = descriptor.link
    if link.startswith(PTS) and link.removeprefix(PTS) not in masters:
        return f"the terminal {link}, whose other end is in no process of the job"
    if link.startswith(SHARED_MEMORY) and not link.endswith(DELETED):
        return f"the shared memory {link}, which is not in the job's directory"
    if link.startswith("anon_inode:") and link.removeprefix("anon_inode:") not in DUMPABLE:
        return f"{link.removeprefix('anon_inode:').strip('[]')}, which belongs to one kernel"
    if descriptor.type in "bc" and not _is_portable(link):
        return f"the device {link}"
    return None


def _is_portable(path: str) -> bool:
    return path in PORTABLE_DEVICES or is_terminal(path)

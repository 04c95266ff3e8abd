# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What /proc tells about a running tree, and what of it forbids a migration: known before the process is touched.

The node's pause tool tells it once (runtime/tool/look.c); all judging is done here, on its text. What is not visible there
(what a CRIU image alone shows) is refused later, by CRIU or the transformer, and the process then runs on as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from transproc.images.flags import PORTABLE_DEVICES, PTS, is_terminal
from transproc.isa import Isa

DUMPABLE = frozenset({"[eventfd]", "[eventpoll]", "[signalfd]", "[timerfd]", "[pidfd]", "inotify"})
"""Anonymous inodes that mean the same on another machine; others (io_uring, bpf, perf_event…) belong to one kernel."""
GHOST_LIMIT = (1 << 32) - 4096
"""Bytes of a deleted file, at most: CRIU computes with 32 bits there."""
SETTLED = ("07", "0A")
"""TCP_CLOSE and TCP_LISTEN (include/net/tcp_states.h): no peer that would have to follow."""
KERNEL_MAPPINGS = ("[stack]", "[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]")
"""Made anew on the target, wherever they were."""
SHARED_MEMORY = "/dev/shm/"
MEMORY_FILES = ("/memfd:", "/SYSV", "/dev/zero")
"""What the kernel calls files that never had a name."""
_ELSEWHERE = (
    "where a node lets a job have a /dev/shm of its own, what it has there moves (docs/limits.md); else share memory without a "
    "name (MAP_ANONYMOUS), System V's, or a mapped file in the job's directory; programs have options for it, PostgreSQL "
    "dynamic_shared_memory_type = mmap"
)
PSEUDO_FILES = ("/dev/", "/proc/", "/sys/")

_DESCRIPTOR = re.compile(r"(\d+) (\S) (\d+) (\d+) (.*)")
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ +\d+ *(.*)")
_DETAIL = re.compile(r"(\d+) ([a-z-]+)=(\d+)")
_OTHER = re.compile(r"(\d+) (\d+) (.*)")
_END = re.compile(r" ((?:pipe|socket):.*)")
_PEERS = re.compile(r"(\d+) (\d+)")
_DELETED = " (deleted)"
_HUGE_PAGES = f"/anon_hugepage{_DELETED}"
"""The kernel's name of what was mapped with MAP_HUGETLB and has no file, private or shared."""


@dataclass(frozen=True)
class Descriptor:
    """An open file: where its link leads, the letter that `ls` shows for its type, its size in bytes, how many names it has."""

    number: int
    link: str
    type: str = "-"
    size: int = 0
    names: int = 1

    @property
    def inode(self) -> str:
        """Of a socket, as /proc/net lists it."""
        return self.link.removeprefix("socket:[").removesuffix("]")

    @property
    def removed(self) -> str | None:
        """The name by which a regular file was opened, if that has been removed since."""
        is_removed = self.type == "-" and self.link.startswith("/") and self.link.endswith(_DELETED)
        is_removed = is_removed and not self.link.startswith(MEMORY_FILES)
        return self.link.removesuffix(_DELETED) if is_removed else None


@dataclass
class View:
    """One process.

    `seccomp`: mode by thread; `capabilities`: those that some thread has or may inherit, as a mask; `memory`: bytes of
    private memory, which an image holds; `connected`: inodes of TCP sockets with a peer, of the whole network namespace;
    `masters`: numbers of the terminals whose controlling ends it has opened, or its supervisor for it; `semaphores`: descriptors
    of eventfds that give one unit to each reader; `once`: those of inotify with watches that end with an event; `positions`:
    where each descriptor is in its file; `shared`: the directory of the job that the tree has as its /dev/shm, if it does not
    have the node's.
    """

    pid: int
    executable: str = ""
    directory: str = ""
    seccomp: dict[int, int] = field(default_factory=dict)
    capabilities: int = 0
    memory: int = 0
    mappings: list[tuple[int, int, str]] = field(default_factory=list)
    huge: set[int] = field(default_factory=set)
    """Where private mappings of MAP_HUGETLB begin."""
    descriptors: list[Descriptor] = field(default_factory=list)
    connected: set[str] = field(default_factory=set)
    masters: set[str] = field(default_factory=set)
    semaphores: set[int] = field(default_factory=set)
    once: set[int] = field(default_factory=set)
    positions: dict[int, int] = field(default_factory=dict)
    shared: str = ""
    machine: Machine | None = None
    """With the first process of a tree, as `shared` is."""

    def name_shared(self, directory: str) -> None:
        """Names what is in the tree's own /dev/shm by where it is on the node."""

        def named(path: str) -> str:
            inside = path.startswith(SHARED_MEMORY)
            return f"{directory}/{path.removeprefix(SHARED_MEMORY)}" if inside else path

        self.directory = named(self.directory)
        self.mappings = [(start, end, named(name)) for start, end, name in self.mappings]
        self.descriptors = [replace(one, link=named(one.link)) for one in self.descriptors]


@dataclass
class Machine:
    """All processes of a node: what they execute, their parents, who holds which pipes and sockets; and how unix sockets are
    connected, by inode (one that listens with those that it has not accepted yet)."""

    executables: dict[int, str] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)
    holders: dict[str, list[int]] = field(default_factory=dict)
    peers: dict[str, list[str]] = field(default_factory=dict)

    def outsiders(self, link: str, root: int) -> list[int]:
        """Processes that hold a pipe or socket and are not in the tree of `root`."""
        holders = self.holders.get(link, [])
        return [pid for pid in holders if pid in self.parents and not self.is_below(pid, root)]

    def is_below(self, pid: int, root: int) -> bool:
        """Whether a process is in the tree of `root`."""
        seen = set()
        while pid != root:
            if pid in seen or pid not in self.parents:
                return False
            seen.add(pid)
            pid = self.parents[pid]
        return True


@dataclass(frozen=True)
class Problem:
    """Why a tree cannot be moved, and what its user can do about it."""

    message: str
    hint: str


def parse(text: str) -> list[View]:
    """The processes that the pause tool's `look` has printed."""
    views = []
    for part in re.split(r"^== process ", text, flags=re.MULTILINE)[1:]:
        head, *sections = re.split(r"^== (?=[a-z]+$)", part, flags=re.MULTILINE)
        pid, _, executable = head.partition("\n")
        if executable.strip():  # else it has ended, or is a zombie
            lines = {name: body.splitlines() for name, _, body in (s.partition("\n") for s in sections)}
            views.append(_view(int(pid), executable.strip("\n"), lines))
    for directory in [view.shared for view in views if view.shared]:
        for view in views:
            view.name_shared(directory)
    return views


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
        or any(name.endswith(_DELETED) and name.startswith(f"{files}/") for _, _, name in view.mappings)
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
        if path.startswith("/") and not path.endswith(_DELETED) and not path.startswith(PSEUDO_FILES)
        and not PurePosixPath(path).is_relative_to(directory)
    }  # fmt: skip


# --- reading ---------------------------------------------------------------------------------------------------------


def _view(pid: int, executable: str, lines: dict[str, list[str]]) -> View:
    view = View(pid, executable, "".join(lines.get("directory", [])[:1]))
    _read_status(view, lines.get("status", []))
    for line in lines.get("maps", []):
        if match := _MAPPING.fullmatch(line):
            view.mappings.append((int(match[1], 16), int(match[2], 16), match[3]))
            if match[3] == _HUGE_PAGES and line.split()[1].endswith("p"):
                view.huge.add(int(match[1], 16))
    for match in filter(None, map(_DESCRIPTOR.fullmatch, lines.get("descriptors", []))):
        view.descriptors.append(Descriptor(int(match[1]), match[5], match[2], int(match[4]), int(match[3])))
    for match in filter(None, map(_DETAIL.fullmatch, lines.get("details", []))):
        if match[2] == "tty-index":
            view.masters.add(match[3])
        elif match[2] == "pos":
            view.positions[int(match[1])] = int(match[3])
        elif match[3] == "1":
            found = view.once if match[2] == "inotify-oneshot" else view.semaphores
            found.add(int(match[1]))
    supervisor = filter(None, map(_DETAIL.fullmatch, lines.get("terminal", [])))
    view.masters |= {match[3] for match in supervisor if match[2] == "tty-index"}
    view.shared = "".join(lines.get("shared", [])[:1])
    if "others" in lines:
        view.machine = _machine(lines["others"])
        for match in filter(None, map(_PEERS.fullmatch, lines.get("peers", []))):
            view.machine.peers.setdefault(match[1], []).append(match[2])
    for words in map(str.split, lines.get("tcp", [])):
        # sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode (Documentation/networking/proc_net_tcp.rst)
        if len(words) > 9 and words[0].endswith(":") and words[3] not in SETTLED:
            view.connected.add(words[9])
    return view


def _machine(lines: list[str]) -> Machine:
    machine, pid = Machine(), 0
    for line in lines:
        if match := _OTHER.fullmatch(line):
            pid = int(match[1])
            machine.parents[pid] = int(match[2])
            if match[3]:
                machine.executables[pid] = match[3]
        elif match := _END.fullmatch(line):
            machine.holders.setdefault(match[1], []).append(pid)
    return machine


def _read_status(view: View, lines: list[str]) -> None:
    """All threads' files, one behind the other (proc_pid_status(5)); memory is the same in each."""
    tid = view.pid
    for key, _, value in (line.partition(":") for line in lines):
        if key == "Pid":
            tid = int(value)
        elif key == "Seccomp":
            view.seccomp[tid] = int(value)
        elif key in ("CapPrm", "CapInh"):
            view.capabilities |= int(value, 16)
        elif key == "RssAnon":
            view.memory = int(value.split()[0]) * 1024


# --- judging ---------------------------------------------------------------------------------------------------------


def _executable(view: View, program: str) -> Iterator[Problem]:
    if view.executable.removesuffix(_DELETED) != program:
        message = f"process {view.pid} executes {view.executable}, expected {program}: of another program there is no pair"
        yield Problem(message, "let the program end what it has started, and migrate then")


def _outside_of(root: int, machine: Machine, views: Iterable[View], program: str) -> Iterator[Problem]:
    """What would stay behind: processes that have left the tree, and those at the other end of its pipes and sockets."""
    for pid, executable in machine.executables.items():
        if (
            executable.removesuffix(_DELETED) == program
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


def _beyond(view: View, target: Isa) -> Iterator[Problem]:
    limit = target.address_limit
    for start, end, name in view.mappings:
        if end > limit and name not in KERNEL_MAPPINGS:
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
        elif name.startswith(SHARED_MEMORY) and not name.endswith(_DELETED):
            what = f"the shared memory {name}, which is not in the job's directory"
            remedy = _ELSEWHERE
        elif name.startswith("/dev/") and not name.endswith(_DELETED) and not _is_portable(name):
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
    if link.startswith(SHARED_MEMORY) and not link.endswith(_DELETED):
        return f"the shared memory {link}, which is not in the job's directory"
    if link.startswith("anon_inode:") and link.removeprefix("anon_inode:") not in DUMPABLE:
        return f"{link.removeprefix('anon_inode:').strip('[]')}, which belongs to one kernel"
    if descriptor.type in "bc" and not _is_portable(link):
        return f"the device {link}"
    return None


def _is_portable(path: str) -> bool:
    return path in PORTABLE_DEVICES or is_terminal(path)

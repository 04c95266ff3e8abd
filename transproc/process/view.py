# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What /proc tells about a running tree, as the node's pause tool has printed it (runtime/tool/look.c)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

SETTLED = ("07", "0A")
"""TCP_CLOSE and TCP_LISTEN (include/net/tcp_states.h): no peer that would have to follow."""
SHARED_MEMORY = "/dev/shm/"
MEMORY_FILES = ("/memfd:", "/SYSV", "/dev/zero")
"""What the kernel calls files that never had a name."""
DELETED = " (deleted)"
HUGE_PAGES = f"/anon_hugepage{DELETED}"
"""The kernel's name of what was mapped with MAP_HUGETLB and has no file, private or shared."""
_DESCRIPTOR = re.compile(r"(\d+) (\S) (\d+) (\d+) (.*)")
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ +\d+ *(.*)")
_DETAIL = re.compile(r"(\d+) ([a-z-]+)=(\d+)")
_OTHER = re.compile(r"(\d+) (\d+) (.*)")
_END = re.compile(r" ((?:pipe|socket):.*)")
_PEERS = re.compile(r"(\d+) (\d+)")


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
        is_removed = self.type == "-" and self.link.startswith("/") and self.link.endswith(DELETED)
        is_removed = is_removed and not self.link.startswith(MEMORY_FILES)
        return self.link.removesuffix(DELETED) if is_removed else None


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


def _view(pid: int, executable: str, lines: dict[str, list[str]]) -> View:
    view = View(pid, executable, "".join(lines.get("directory", [])[:1]))
    _read_status(view, lines.get("status", []))
    for line in lines.get("maps", []):
        if match := _MAPPING.fullmatch(line):
            view.mappings.append((int(match[1], 16), int(match[2], 16), match[3]))
            if match[3] == HUGE_PAGES and line.split()[1].endswith("p"):
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

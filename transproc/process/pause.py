# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Starting, stopping and continuing processes on a node, by `transproc-stop`.

A stopped tree is group-stopped (SIGSTOP), traced by nobody, each thread at a site or in a system call that has had no
effect yet: ready for `criu dump`. Whatever fails, the tree runs on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transproc.errors import CommandError, PauseError, TransprocError, UnsupportedError
from transproc.process.runner import Runner, understood

TIMEOUT = 5.0
"""Seconds that a tree has to reach equivalence points."""
_MARGIN = 20.0
"""Seconds on top, for the tool's own work and a slow connection."""
_UNSUPPORTED = ("no-index", "unsupported")
_LATE = "try again, or give it longer (--timeout); a thread in a signal handler, or long in one call, cannot be stopped there"


@dataclass(frozen=True)
class ThreadPlace:
    """Where a thread stands, or stood when the pause was given up.

    `state`: site, call (blocked in a system call); or, if it did not stop: running, elsewhere, leaving-call,
    borrows-memory (between vfork and exec), unknown-frame (`return_address` is described by no site: a signal
    handler, foreign code), unreadable-stack.
    """

    pid: int
    tid: int
    state: str
    pc: int
    function: str
    offset: int
    resume: bool
    depth: int
    site: int | None = None
    return_address: int | None = None

    def __str__(self) -> str:
        place = (
            f"{self.function}{'.resume' if self.resume else ''}+{self.offset:#x}"
            if self.function
            else "unknown code"
        )
        below = f" below {self.return_address:#x}" if self.return_address is not None else ""
        return f"thread {self.tid}: {self.state} at {self.pc:#x} ({place}{below})"


@dataclass(frozen=True)
class Pause:
    """A tree that has been stopped; `milliseconds` it took, `steps` breakpoints were passed on the way."""

    pid: int
    milliseconds: int
    steps: int
    threads: tuple[ThreadPlace, ...]

    @property
    def processes(self) -> list[int]:
        """Ids of the tree's processes."""
        return sorted({thread.pid for thread in self.threads})


@dataclass(frozen=True)
class Files:
    """A directory whose files move, and a list of the device and inode numbers that programs see there."""

    directory: str
    listing: str
    guard: str = ""
    """A file that says, from before a dump until the program goes on, what its threads were: with it a program is put in order
    in which a killed criu has left code of its own. Empty: none is written."""

    def words(self) -> list[str]:
        """As command line options of the tool."""
        guard = ["--guard", self.guard] if self.guard else []
        return ["--dir", self.directory, "--list", self.listing, *guard]


@dataclass(frozen=True)
class Terminal:
    """The terminal of a program, whose controlling end its supervisor holds.

    `log`: the file of what is printed there; `key`: a file that goes with an image, which says what the terminal is in it.
    """

    log: str
    key: str = ""

    def words(self) -> list[str]:
        """As command line options of the tool."""
        return ["--terminal", self.log, *(["--key", self.key] if self.key else [])]


@dataclass(frozen=True)
class Window:
    """The size of a terminal, in characters."""

    rows: int = 24
    columns: int = 80

    def words(self) -> list[str]:
        """As command line options of the tool."""
        return ["--rows", str(self.rows), "--columns", str(self.columns)]


@dataclass(frozen=True)
class User:
    """Whom a program runs as, in numbers."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def words(self) -> list[str]:
        """As command line options of the tool."""
        groups = ["--groups", ",".join(map(str, self.groups))] if self.groups else []
        return ["--uid", str(self.uid), "--gid", str(self.gid), *groups]


@dataclass(frozen=True)
class Restored:
    """The root's pid, how many files could not keep their inode numbers, because the file system has no attributes, and what the
    kernel said of the tree then.
    """

    pid: int
    unnamed: int
    processes: Sequence[ProcessState] = ()


@dataclass(frozen=True)
class ThreadState:
    """What the kernel says of a thread: state letter of proc(5), and, unless it runs, its pc and system call (-1: none)."""

    tid: int
    state: str
    pc: int | None = None
    call: int | None = None
    function: str = ""
    offset: int = 0
    resume: bool = False


@dataclass(frozen=True)
class ProcessState:
    """A process of a tree; `index`: it was compiled by transproc-cc."""

    pid: int
    index: bool
    threads: tuple[ThreadState, ...]


@dataclass(frozen=True)
class Launch:
    """A program to be started, in a new session, with its three standard streams and nothing else open.

    `state`: a directory where the supervisor writes `exit` ("status N" or "signal N") when the program ends.
    `streams`: files for stdin, stdout, stderr (the latter two are appended to; default /dev/null); instead of them a `terminal`,
    which gets the size `window`. The environment is exactly `env`.
    """

    argv: Sequence[str]
    state: str
    directory: str | None = None
    streams: Mapping[str, str] = field(default_factory=dict)
    pidfile: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    terminal: Terminal | None = None
    window: Window = Window()
    user: User | None = None
    """None: as the tool itself."""
    network: str | None = None
    """Its own (runtime/tool/network.h), or None: the node's."""

    def words(self) -> list[str]:
        """As command line options of the tool."""
        words = ["--state", self.state]
        words += [] if self.terminal is None else [*self.terminal.words(), *self.window.words()]
        words += [] if self.directory is None else ["--dir", self.directory]
        words += [word for name, path in self.streams.items() for word in (f"--{name}", path)]
        words += [] if self.user is None else self.user.words()
        words += _network(self.network)
        words += [] if self.pidfile is None else ["--pidfile", self.pidfile]
        words += [word for name, value in self.env.items() for word in ("--env", f"{name}={value}")]
        return [*words, "--", *self.argv]


class Tool:
    """transproc-stop at `path` on a node. All methods raise `PauseError`, or `UnsupportedError` for foreign programs."""

    def __init__(self, node: Runner, path: str) -> None:
        self._node = node
        self.path = path

    def start(self, launch: Launch) -> int:
        """Starts a program under a supervisor; returns its pid."""
        answer = self._call(["run", *launch.words()])
        with understood("run"):
            return int(answer["pid"])

    def start_paused(
        self, launch: Launch, *, at: int | None = None, count: int | None = None, timeout: float = TIMEOUT
    ) -> Pause:
        """As `start`, but the program is traced from its first instruction on, and stopped as `pause` does."""
        words = ["run", "--pause", *_when(at, count, timeout), *launch.words()]
        return _pause(self._call(words, timeout))

    def pause(
        self,
        pid: int,
        *,
        at: int | None = None,
        count: int | None = None,
        timeout: float = TIMEOUT,
        terminal: Terminal | None = None,
        run: float | None = None,
        network: str | None = None,
    ) -> Pause:
        """Stops a process, its threads and descendants at equivalence points; `timeout` in seconds.

        `at`: not before some thread comes to that address (in the common text). `count`: when the tree's threads
        have come to so many stoppable sites in all; a single thread then stands at the last of them. What was printed at the
        `terminal` is in its log then. `run`: a paused tree first goes on for so many seconds. `network`: its own, which is
        unplugged before, at a moment when all connections are accepted; it stays so if the tree is stopped.
        """
        words = ["pause", "--pid", str(pid), *_when(at, count, timeout)]
        words += [] if run is None else ["--run", str(max(1, round(run * 1e6)))]
        words += _network(network)
        return _pause(self._call([*words, *_words(terminal)], timeout + (run or 0.0)))

    def resume(self, pid: int, files: Files | None = None, *, network: str | None = None) -> list[int]:
        """Lets a stopped tree go on, and plugs in the network that it has of its own; returns its processes.

        `files`: what criu may have added to the directory since the list was written, to find files that are open (its
        `--link-remap`), is removed first.
        """
        words = ["resume", "--pid", str(pid), *([] if files is None else files.words())]
        answer = self._call([*words, *_network(network)])
        with understood("resume"):
            return [int(item) for item in answer["pids"]]

    def kill(self, pid: int, *, moved: str | None = None, network: str | None = None) -> None:
        """Ends a tree by SIGKILL; nothing if there is none.

        `moved`: the state directory of a program that lives on elsewhere, so that its end is not recorded there; `network`: its
        own, and nobody at the other end of its connections hears of it.
        """
        mark = [] if moved is None else ["--moved", "--state", moved]
        mark += _network(network)
        answer = self._answer(["kill", "--pid", str(pid), *mark])
        if not answer["ok"] and answer["error"] != "gone":
            raise _error(answer)

    def plug(self, pid: int, network: str) -> None:
        """Connects a program's own network with the node's bridge, if it is not, and announces its addresses there."""
        self._call(["plug", "--pid", str(pid), *_network(network)])

    def probe(self, network: str) -> tuple[bool, list[tuple[str, str]]]:
        """Whether the node has the bridge of a network, and who answers there for its addresses: both in hexadecimal."""
        answer = self._call(["probe", *_network(network)])
        with understood("probe"):
            return bool(answer["bridge"]), [(str(address), str(who)) for address, who in answer["answers"]]

    def status(self, pid: int) -> list[ProcessState]:
        """The tree, parents first; empty if the process is gone."""
        return status_of(self._answer(["status", "--pid", str(pid)]))

    def room(self, directory: str) -> bytes:
        """Lines about the node, and the file system of a directory, which is made when missing: see `cluster/look.py`."""
        return self._node.run([self.path, "room", "--dir", directory]).stdout

    def look(self, pid: int, program: str, directory: str) -> bytes:
        """The same, and lines about a tree of processes and who has to do with it: see `inspect.parse`. Its state is that of a
        process that executes `program`, and empty for any other.
        """
        return self._node.run(
            [self.path, "look", "--dir", directory, "--pid", str(pid), "--", program]
        ).stdout

    def restore(
        self,
        criu: Sequence[str],
        *,
        state: str,
        pidfile: str,
        files: Files | None = None,
        moves: int = 0,
        terminal: Terminal | None = None,
        user: User | None = None,
        network: str | None = None,
        deadline: float,
    ) -> Restored:
        """Runs `criu restore` (see `criu.restore_argv`) and supervises what it restores.

        `files`: copies, which get the inode numbers of the list; `moves`: the job's, this one included; `terminal`: a new one
        takes the place of the one in the image; `user`: whose program it is, if not the tool's; `network`: made for it, and not
        plugged in.
        Raises `CommandError` if criu fails, or has not ended after `deadline` seconds.
        """
        words = ["restore", "--state", state, "--pidfile", pidfile, "--moves", str(moves)]
        words += ["--deadline", str(round(deadline * 1000))]
        words += [*([] if files is None else files.words()), *_words(terminal)]
        words += [] if user is None else user.words()
        words += _network(network)
        answer = self._answer([*words, "--", *criu], timeout=deadline)
        if not answer["ok"] and answer["error"] == "criu":
            raise CommandError(criu, 1, answer["message"])
        if not answer["ok"]:
            raise _error(answer)
        with understood("restore"):
            return Restored(int(answer["pid"]), int(answer["unnamed"]), status_of(answer))

    def before_dump(
        self,
        pid: int,
        files: Files,
        moves: int,
        clocks: str,
        *,
        terminal: Terminal | None = None,
        owed: str | None = None,
        network: str | None = None,
    ) -> list[str]:
        """What goes before `criu dump`: first are written the list of `files`, for a job that has moved so often; the processor
        time that the tree has used, to the file `clocks`; and the `terminal`'s key, of which criu is told. `owed`: most pages
        of large memory are not dumped, and listed there. `network`: its own, which is unplugged, and in which criu works.
        """
        words = ["--pid", str(pid), *files.words(), "--moves", str(moves), "--clocks", clocks]
        words += [] if owed is None else ["--owed", owed]
        return [self.path, "dump", *words, *_words(terminal), *_network(network), "--"]

    def inventory(self, directory: str) -> list[str]:
        """The command that prints what is in a directory, contents included (runtime/tool/tree.h)."""
        return [self.path, "inventory", "--dir", directory]

    def changes(self, directory: str, inventory: str, changed: str, patched: str | None = None) -> list[str]:
        """The command that compares a directory with its copy's inventory, a file: it writes what is to be sent to the file
        `changed`, for tar, and prints what `difference` reads. `patched`: a file for the list of large ones that are different
        in places, which then are not in the other; for `blocks`.
        """
        words = ["--dir", directory, "--list", inventory, "--changed", changed]
        return [self.path, "changes", *words, *([] if patched is None else ["--patched", patched])]

    def blocks(self, directory: str, patched: str, *, changing: bool) -> list[str]:
        """The command that prints what is different in those large files, for `patch`. `changing`: they may change meanwhile."""
        words = ["--dir", directory, "--list", patched, *(["--changing"] if changing else [])]
        return [self.path, "blocks", *words]

    def patch(self, directory: str, *, changing: bool) -> list[str]:
        """The command that writes what `blocks` prints into the copies in a directory, and nowhere beyond it. It fails if one is
        not what it should be then, unless they are `changing`.
        """
        return [self.path, "patch", "--dir", directory, *(["--changing"] if changing else [])]

    def remove(self, directory: str) -> list[str]:
        """The command that removes from a directory what is listed on its standard input, and nothing beyond it."""
        return [self.path, "remove", "--dir", directory]

    def lend(self, pid: int) -> list[str]:
        """The command that gives out pages of a stopped tree, as asked on its standard input (runtime/tool/pages.h)."""
        return [self.path, "lend", "--pid", str(pid)]

    def borrow(self, images: str, owed: str, *, eager: bool, held: bool = False) -> None:
        """Begins to wait for criu, which restores from `images`, and for the pages of a list of what is owed.

        `eager`: the program goes on when all are there. `held`: some went ahead, and are there: else it is an error.
        """
        flags = {"--eager": eager, "--held": held}
        self._call(["borrow", "--dir", images, "--owed", owed, *(name for name, on in flags.items() if on)])

    def link(self, images: str) -> list[str]:
        """The command whose standard streams lead who borrows for a directory of images to who lends; see `cluster/link.py`."""
        return [self.path, "link", "--dir", images]

    def copy(self, pid: int) -> list[str]:
        """The command that sends the memory of a running tree, in rounds as it is asked; see `cluster/link.py`."""
        return [self.path, "copy", "--pid", str(pid)]

    def hold(self, images: str) -> list[str]:
        """The command that holds what `copy` sends, for who will borrow beside a directory of images."""
        return [self.path, "hold", "--dir", images]

    def attach(self, pid: int, terminal: Terminal, offset: int) -> list[str]:
        """The command that copies its standard input to a program's terminal, and the terminal's log, from a byte offset on, to
        its standard output; it ends when the program has ended or moved, or its standard input has ended.
        """
        return [self.path, "attach", "--pid", str(pid), *terminal.words(), "--offset", str(offset)]

    def resize(self, pid: int, terminal: Terminal, window: Window) -> None:
        """Gives a program's terminal a size."""
        self._call(["resize", "--pid", str(pid), *terminal.words(), *window.words()])

    def _call(self, words: list[str], timeout: float = 0.0) -> dict[str, Any]:
        answer = self._answer(words, timeout=timeout)
        if not answer["ok"]:
            raise _error(answer)
        return answer

    def _answer(self, words: list[str], *, timeout: float | None = 0.0) -> dict[str, Any]:
        argv = [self.path, *words]
        done = self._node.run(argv, check=False, timeout=None if timeout is None else timeout + _MARGIN)
        try:
            answer = answer_of(done.stdout)
        except (ValueError, RecursionError):
            told = done.stderr if done.returncode and done.stderr else done.stdout
            raise CommandError(argv, done.returncode, told.decode(errors="replace")) from None
        if answer["ok"] and done.returncode:  # killed after its answer: what it has done may be taken back
            raise CommandError(argv, done.returncode, done.stderr.decode(errors="replace"))
        return answer


@dataclass(frozen=True)
class Difference:
    """Of a directory from its copy: how many large files are to be patched, and what is to be removed, for `Tool.remove`."""

    patched: int
    removed: bytes


def difference(text: bytes) -> Difference:
    """What `Tool.changes` has printed; raises ValueError for anything else."""
    count, end, removed = text.partition(b"\0")
    if not end or not count.isdigit():
        raise ValueError("not what `changes` prints")
    return Difference(int(count), removed)


def answer_of(text: bytes | str) -> dict[str, Any]:
    """An object that the tool has printed; raises ValueError if it is none, or lacks what all have."""
    answer: dict[str, Any] = json.loads(text)
    good = isinstance(answer, dict) and isinstance(answer.get("ok"), bool)
    if good and not answer["ok"]:
        good = all(isinstance(answer.get(key), str) for key in ("error", "message"))
    if not good:
        raise ValueError("not as the pause tool answers")
    return answer


def status_of(answer: dict[str, Any]) -> list[ProcessState]:
    """The tree that an answer to `status` describes; raises what it reports."""
    if not answer["ok"] and answer["error"] == "gone":
        return []
    if not answer["ok"]:
        raise _error(answer)
    with understood("status"):
        return [
            ProcessState(
                int(process["pid"]), bool(process["index"]), tuple(map(_thread_state, process["threads"]))
            )
            for process in answer["processes"]
        ]


def _thread_state(row: dict[str, Any]) -> ThreadState:
    state = str(row["state"])
    if "pc" not in row:
        return ThreadState(int(row["tid"]), state)
    place = str(row["function"]), int(row["offset"]), bool(row["resume"])
    return ThreadState(int(row["tid"]), state, int(row["pc"]), int(row["call"]), *place)


def _thread_place(row: dict[str, Any]) -> ThreadPlace:
    return ThreadPlace(
        int(row["pid"]),
        int(row["tid"]),
        str(row["state"]),
        int(row["pc"]),
        str(row["function"]),
        int(row["offset"]),
        bool(row["resume"]),
        int(row["depth"]),
        *(int(row[key]) if key in row else None for key in ("site", "return_address")),
    )


def _network(network: str | None) -> list[str]:
    return [] if network is None else ["--network", network]


def _words(terminal: Terminal | None) -> list[str]:
    return [] if terminal is None else terminal.words()


def _when(at: int | None, count: int | None, timeout: float) -> list[str]:
    words = ["--timeout", str(round(timeout * 1000))]
    words += [] if at is None else ["--at", f"{at:#x}"]
    return words + ([] if count is None else ["--count", str(count)])


def _pause(answer: dict[str, Any]) -> Pause:
    with understood("pause"):
        threads = tuple(map(_thread_place, answer["threads"]))
        return Pause(int(answer["pid"]), int(answer["milliseconds"]), int(answer["steps"]), threads)


def _error(answer: dict[str, Any]) -> TransprocError:
    """The exception for an answer that says no; names the threads that did not arrive."""
    message = answer["message"]
    with understood("pause"):
        threads = [_thread_place(thread) for thread in answer.get("threads", [])]
        pid, culprit = (int(answer.get(key) or 0) or None for key in ("pid", "tid"))
    if answer["error"] == "timeout":
        message += "".join(f"; {thread}" for thread in threads[:8])
    if answer["error"] in _UNSUPPORTED:
        return UnsupportedError(message, hint="compile the program, and what it executes, with transproc-cc")
    hint = _LATE if answer["error"] == "timeout" else None
    tid = culprit or (threads[0].tid if threads else None)
    return PauseError(message, pid=pid, tid=tid, ended=answer["error"] == "gone", hint=hint)

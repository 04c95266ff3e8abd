# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Starting, stopping and continuing processes on a node, by `transproc-stop`.

A stopped tree is group-stopped (SIGSTOP), traced by nobody, each thread at a site or in a system call that has had no
effect yet: ready for `criu dump`. Whatever fails, the tree runs on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transproc.errors import CommandError
from transproc.process.answers import Pause, ProcessState, Restored, answer_of, error_of, pause_of, status_of
from transproc.process.launch import Files, Launch, Terminal, User, Window, network_words, words_of
from transproc.process.runner import Begun, Result, Runner, understood

TIMEOUT = 5.0
"""Seconds that a tree has to reach equivalence points."""
_MARGIN = 20.0
"""Seconds on top, for the tool's own work and a slow connection."""


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
        return pause_of(self._call(words, timeout))

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
        mappings: str | None = None,
    ) -> Pause:
        """Stops a process, its threads and descendants at equivalence points; `timeout` in seconds.

        `at`: not before some thread comes to that address (in the common text). `count`: when the tree's threads
        have come to so many stoppable sites in all; a single thread then stands at the last of them. What was printed at the
        `terminal` is in its log then. `run`: a paused tree first goes on for so many seconds. `network`: its own, which is
        unplugged before, at a moment when all connections are accepted; it stays so if the tree is stopped. `mappings`: what a
        dump wants to know of the processes' mappings is told to that directory before (runtime/tool/watch.h).
        """
        words = ["pause", "--pid", str(pid), *_when(at, count, timeout)]
        words += [] if run is None else ["--run", str(max(1, round(run * 1e6)))]
        words += [] if mappings is None else ["--mappings", mappings]
        words += network_words(network)
        return pause_of(self._call([*words, *words_of(terminal)], timeout + (run or 0.0)))

    def resume(self, pid: int, files: Files | None = None, *, network: str | None = None) -> list[int]:
        """Lets a stopped tree go on, and plugs in the network that it has of its own; returns its processes.

        `files`: what criu may have added to the directory since the list was written, to find files that are open (its
        `--link-remap`), is removed first.
        """
        words = ["resume", "--pid", str(pid), *([] if files is None else files.words())]
        answer = self._call([*words, *network_words(network)])
        with understood("resume"):
            return [int(item) for item in answer["pids"]]

    def kill(self, pid: int, *, moved: str | None = None, network: str | None = None) -> None:
        """Ends a tree by SIGKILL; nothing if there is none.

        `moved`: the state directory of a program that lives on elsewhere, so that its end is not recorded there; `network`: its
        own, and nobody at the other end of its connections hears of it.
        """
        mark = [] if moved is None else ["--moved", "--state", moved]
        mark += network_words(network)
        answer = self._answer(["kill", "--pid", str(pid), *mark])
        if not answer["ok"] and answer["error"] != "gone":
            raise error_of(answer)

    def plug(self, pid: int, network: str) -> None:
        """Connects a program's own network with the node's bridge, if it is not, and announces its addresses there."""
        self._call(["plug", "--pid", str(pid), *network_words(network)])

    def probe(self, network: str) -> tuple[bool, list[tuple[str, str]]]:
        """Whether the node has the bridge of a network, and who answers there for its addresses: both in hexadecimal."""
        answer = self._call(["probe", *network_words(network)])
        with understood("probe"):
            return bool(answer["bridge"]), [(str(address), str(who)) for address, who in answer["answers"]]

    def status(self, pid: int) -> list[ProcessState]:
        """The tree, parents first; empty if the process is gone."""
        return status_of(self._answer(["status", "--pid", str(pid)]))

    def room(self, directory: str) -> bytes:
        """Lines about the node, and the file system of a directory, which is made when missing: see `cluster/look.py`."""
        return self._node.run([self.path, "room", "--dir", directory]).stdout

    def look(self, pid: int, program: str, directory: str) -> bytes:
        """The same, and lines about a tree of processes and who has to do with it: see `view.parse`. Its state is that of a
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
        borrowed: str | None = None,
        deadline: float,
    ) -> Restored:
        """Runs `criu restore` (see `criu.restore_argv`) and supervises what it restores.

        `files`: copies, which get the inode numbers of the list; `moves`: the job's, this one included; `terminal`: a new one
        takes the place of the one in the image; `user`: whose program it is, if not the tool's; `network`: made for it, and not
        plugged in; `borrowed`: the directory of those who bring its memory (`borrow`), who must have hold of all of it.
        Raises `CommandError` if criu fails, or has not ended after `deadline` seconds.
        """
        words = _restore_words(state, pidfile, files, moves, deadline)
        words += words_of(terminal)
        words += [] if user is None else user.words()
        words += [] if borrowed is None else ["--borrowed", borrowed]
        words += network_words(network)
        return _restored(self._answer([*words, "--", *criu], timeout=deadline), criu)

    def restore_ahead(
        self,
        criu: Sequence[str],
        *,
        state: str,
        pidfile: str,
        files: Files,
        moves: int,
        user: User | None = None,
        deadline: float,
        waits: float,
    ) -> Begun:
        """As `restore`, for a job that has a /dev/shm of its own, before its files and images are there: criu is started, and
        waits, for `waits` seconds at most, for its configuration (runtime/tool/ahead.h).
        """
        words = _restore_words(state, pidfile, files, moves, deadline)
        words += [] if user is None else user.words()
        return self._node.begin([self.path, *words, "--ahead", "--", *criu], timeout=waits)

    def finish_restore(
        self, criu: Sequence[str], begun: Begun, configuration: bytes, *, deadline: float
    ) -> Restored:
        """What `restore_ahead` has begun; raises as `restore`."""
        argv = [self.path, "restore"]
        return _restored(_answered(argv, begun.finish(configuration, timeout=deadline + _MARGIN)), criu)

    def before_dump(
        self,
        pid: int,
        files: Files,
        moves: int,
        clocks: str,
        *,
        terminal: Terminal | None = None,
        owed: str | None = None,
        mappings: str | None = None,
        network: str | None = None,
        ahead: bool = False,
    ) -> list[str]:
        """What goes before `criu dump`: first are written the list of `files`, for a job that has moved so often; the processor
        time that the tree has used, to the file `clocks`; and the `terminal`'s key, of which criu is told. `owed`: most pages
        of large memory are not dumped, and listed there; `mappings`: what a pause has told there need not be read. `network`:
        its own, which is unplugged, and in which criu works. `ahead`: criu is started at once, and works when its configuration
        has come, and all this is done (runtime/tool/ahead.h). Not with a terminal, `owed` or a network.
        """
        words = ["--pid", str(pid), *files.words(), "--moves", str(moves), "--clocks", clocks]
        words += [] if owed is None else ["--owed", owed]
        words += [] if mappings is None else ["--mappings", mappings]
        words += ["--ahead"] if ahead else []
        return [self.path, "dump", *words, *words_of(terminal), *network_words(network), "--"]

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
            raise error_of(answer)
        return answer

    def _answer(self, words: list[str], *, timeout: float | None = 0.0) -> dict[str, Any]:
        argv = [self.path, *words]
        limit = None if timeout is None else timeout + _MARGIN
        return _answered(argv, self._node.run(argv, check=False, timeout=limit))


def _answered(argv: list[str], done: Result) -> dict[str, Any]:
    try:
        answer = answer_of(done.stdout)
    except (ValueError, RecursionError):
        told = done.stderr if done.returncode and done.stderr else done.stdout
        raise CommandError(argv, done.returncode, told.decode(errors="replace")) from None
    if answer["ok"] and done.returncode:  # killed after its answer: what it has done may be taken back
        raise CommandError(argv, done.returncode, done.stderr.decode(errors="replace"))
    return answer


def _restored(answer: dict[str, Any], criu: Sequence[str]) -> Restored:
    if not answer["ok"] and answer["error"] == "criu":
        raise CommandError(criu, 1, answer["message"])
    if not answer["ok"]:
        raise error_of(answer)
    with understood("restore"):
        return Restored(int(answer["pid"]), int(answer["unnamed"]), int(answer["lost"]), status_of(answer))


def _restore_words(state: str, pidfile: str, files: Files | None, moves: int, deadline: float) -> list[str]:
    words = ["restore", "--state", state, "--pidfile", pidfile, "--moves", str(moves)]
    return [*words, "--deadline", str(round(deadline * 1000)), *([] if files is None else files.words())]


def _when(at: int | None, count: int | None, timeout: float) -> list[str]:
    words = ["--timeout", str(round(timeout * 1000))]
    words += [] if at is None else ["--at", f"{at:#x}"]
    return words + ([] if count is None else ["--count", str(count)])

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CRIU: its command lines, its versions, and what its logs say.

The source of a migration is dumped with `--leave-stopped`: it stays, stopped, until the target's copy runs, and goes on if
anything fails before. Both dump and restore leave the tree group-stopped; SIGCONT lets it go on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from transproc.errors import CommandError, CriuError, UnsupportedError
from transproc.process.answers import Restored
from transproc.process.inspect import GHOST_LIMIT
from transproc.process.launch import Files, Terminal, User
from transproc.process.runner import Begun, Runner
from transproc.process.tool import Tool

MINIMUM = (4, 1, 1)
"""Older ones do not start on current kernels ("Unexpected rt vDSO area bounds")."""
PIDFILE = "restored.pid"
DUMP_LOG, RESTORE_LOG = "dump.log", "restore.log"
COPIES_LINKED = "on overlayFS, fall back to dump_ghost_remap"
"""In the log of a dump: a file that has names is dumped as if it had none (criu/files-reg.c)."""
NEEDS_LINKS = "Use link-remap option"
"""Of a dump that fails for a file whose name was removed, while it has another one (criu/files-reg.c)."""
_RELEVANT = re.compile(r"\b(Error|Warn)\b\s*\(")


DEADLINE = 300.0
"""Minutes are a large process on a slow disk; longer is a disk or a mount that does not answer."""
_TAKEN = re.compile(r"Can't fork for \d+: File exists")
AHEAD_SECONDS = 600.0
"""So long a criu that was started ahead waits; afterwards one is started when it is needed."""
LOAD_SECONDS = 2.0
"""So long it is waited for that such a one has loaded; that takes 20 ms."""
FREED_SECONDS = 20.0
"""So long a busy machine may take to free the numbers of a program that was killed (seen on an emulated one: over a second)."""


@dataclass(frozen=True)
class Options:
    """What a tree needs beyond the usual; dump and restore must be given the same."""

    tcp_close: bool = False
    """TCP connections end: their sockets are there, closed, and the peer's time out or are reset."""
    file_locks: bool = True
    connections: bool = False
    """TCP connections go on: the program has a network of its own, out of which nothing passes meanwhile."""
    deadline: float = DEADLINE
    """Seconds that criu has, each time; then it is ended, and the migration fails."""
    withhold: bool = False
    """Most pages of large memory stay in the process, and go by another way than the image; of a dump `owed` says which.
    Before the preflight: they may."""
    lazy: bool = False
    """And the program goes on before they are there (post-copy); implies `withhold`."""
    precopy: bool = False
    """And most of them are sent ahead, while the program runs; it goes on when the rest is there, or with `lazy` before."""
    choose: bool = False
    """Which of these is found out: large memory is sent ahead, and if it changes faster than it can be sent, the program goes on
    before all is there."""
    rate: int | None = None
    """Bytes per second at most for these pages."""
    link_remap: bool = False
    """Files that are open, and whose name was removed while they have another one, get a name for the time of the move."""

    @property
    def follows(self) -> bool:
        """The program goes on before all of its pages are in their places."""
        return self.lazy or self.precopy

    @property
    def way(self) -> str:
        """Of its memory, in a few words."""
        if self.precopy:
            ahead = "memory goes ahead while it runs"
            return f"{ahead}, and what has changed follows" if self.lazy else ahead
        if self.lazy:
            return "memory follows when it runs"
        return "memory goes while it stands" + (", as pages" if self.withhold else "")

    def words(self) -> list[str]:
        """As command line options."""
        chosen = {
            "--tcp-close": self.tcp_close,
            "--skip-in-flight": self.tcp_close,  # those that wait to be accepted
            "--tcp-established": self.connections,
            "--file-locks": self.file_locks,
            "--link-remap": self.link_remap,
        }
        words = [word for word, wanted in chosen.items() if wanted]
        return [*words, "--network-lock", "skip"] if self.connections else words


def dump_argv(
    command: Sequence[str],
    pid: int | None,
    directory: str,
    *,
    options: Options | None = None,
    leave_stopped: bool = True,
) -> list[str]:
    """`criu dump` of a stopped tree into an existing directory. Without `leave_stopped` the tree is killed at its end.

    `pid`: None if criu is started ahead (see `Ahead`).
    """
    words = [*command, "dump", *([] if pid is None else ["--tree", str(pid)])]
    words += ["--images-dir", directory, "-v4", "--log-file", DUMP_LOG]
    words += ["--ghost-limit", str(GHOST_LIMIT), *(["--leave-stopped"] if leave_stopped else [])]
    return words + (options or Options()).words()


def restore_argv(
    command: Sequence[str], directory: str | None, pidfile: str, *, options: Options | None = None
) -> list[str]:
    """`criu restore` that ends when the tree is there, stopped. `directory`: None if criu is started ahead (see `Ahead`)."""
    words = [*command, "restore", *([] if directory is None else ["--images-dir", directory])]
    words += ["-v4", "--log-file", RESTORE_LOG]
    # Registers that this processor lacks hold nothing that the program needs: the preflight has looked what it is compiled for.
    words += ["--cpu-cap=none", "--restore-detached", "--leave-stopped", "--pidfile", pidfile]
    words += ["--lazy-pages"] if options and options.withhold else []
    return words + (options or Options()).words()


@dataclass(frozen=True)
class Ahead:
    """A criu that was started while the program still ran, and waits for the option that it lacks (runtime/tool/ahead.h)."""

    argv: list[str]
    begun: Begun


class Criu:
    """CRIU on a node; `command` is the program and what must stand before its arguments."""

    def __init__(self, node: Runner, command: Sequence[str] = ("criu",)) -> None:
        self._node = node
        self._command = list(command)

    def dump(
        self,
        pid: int,
        directory: str,
        *,
        prefix: Sequence[str] = (),
        options: Options | None = None,
        leave_stopped: bool = True,
        ahead: Ahead | None = None,
    ) -> None:
        """Dumps a stopped tree; on failure (`CriuError`) it stays stopped.

        `prefix`: what stands before criu and executes it (see `Tool.before_dump`). `ahead`: of `dump_ahead`, if it waits.
        """
        deadline = (options or Options()).deadline
        if ahead is not None:
            argv, done = ahead.argv, ahead.begun.finish(f"tree {pid}\n".encode(), timeout=deadline)
        else:
            argv = dump_argv(self._command, pid, directory, options=options, leave_stopped=leave_stopped)
            done = self._node.run([*prefix, *argv], check=False, timeout=deadline)
        if done.returncode:
            raise self._error(argv, done.returncode, f"{directory}/{DUMP_LOG}", done.stdout + done.stderr)

    def dump_ahead(self, directory: str, *, prefix: Sequence[str], options: Options) -> Ahead:
        """Starts criu for a dump that may follow; `prefix`: see `Tool.before_dump`."""
        argv = dump_argv(self._command, None, directory, options=options)
        return Ahead(argv, self._node.begin([*prefix, *argv], timeout=AHEAD_SECONDS))

    def restore_ahead(
        self, tool: Tool, *, state: str, files: Files, moves: int, options: Options, user: User | None
    ) -> Ahead:
        """Starts criu for a restore that may follow; otherwise as `restore`."""
        pidfile = f"{state}/{PIDFILE}"
        argv = restore_argv(self._command, None, pidfile, options=options)
        begun = tool.restore_ahead(
            argv,
            state=state,
            pidfile=pidfile,
            files=files,
            moves=moves,
            user=user,
            deadline=options.deadline,
            waits=AHEAD_SECONDS,
        )
        return Ahead(argv, begun)

    def restore(
        self,
        tool: Tool,
        directory: str,
        *,
        state: str,
        files: Files | None = None,
        moves: int = 0,
        terminal: Terminal | None = None,
        options: Options | None = None,
        user: User | None = None,
        network: str | None = None,
        ahead: Ahead | None = None,
    ) -> Restored:
        """Restores a tree, stopped, under a supervisor that works in `state`; the rest: see `Tool.restore`. `ahead`: of
        `restore_ahead`, if it waits; should it fail for want of a number it is tried again without.

        Raises `CriuError`; what a criu that met its deadline had restored so far is gone then. Where the program itself was
        killed just before, a busy machine can take a while to free its numbers: that is waited for.
        A status of 0 from criu does not mean that the tree lives: look (`Tool.status`) before letting it go on.
        """
        pidfile = f"{state}/{PIDFILE}"
        argv = restore_argv(self._command, directory, pidfile, options=options)
        deadline, begin = (options or Options()).deadline, time.monotonic()
        waiting = [] if ahead is None else [ahead]

        def attempt() -> Restored:
            if waiting:
                configuration = f"images-dir {directory}\n".encode()
                return tool.finish_restore(argv, waiting.pop().begun, configuration, deadline=deadline)
            return tool.restore(
                argv,
                state=state,
                pidfile=pidfile,
                files=files,
                moves=moves,
                terminal=terminal,
                deadline=deadline,
                user=user,
                network=network,
                borrowed=directory if options is not None and options.withhold else None,
            )

        while True:
            try:
                return attempt()
            except CommandError as error:
                if time.monotonic() - begin >= deadline:
                    raise CriuError(argv, error.status, f"no end within {deadline:g} s") from error
                failure = self._error(argv, error.status, f"{directory}/{RESTORE_LOG}", error.stderr.encode())
                if not _TAKEN.search(failure.stderr) or time.monotonic() - begin >= FREED_SECONDS:
                    raise failure from error
                time.sleep(0.2)

    def _error(self, argv: Sequence[str], status: int, log: str, stderr: bytes) -> CriuError:
        text = self._node.run(["cat", log], check=False).stdout or stderr
        return CriuError(argv, status, relevant(text.decode(errors="replace")))


def parse_version(text: str) -> tuple[int, ...]:
    """From the output of `criu --version`; raises `UnsupportedError` if there is none in it."""
    match = re.search(r"Version:\s*v?(\d+(?:\.\d+)*)", text)
    if match is None:
        raise UnsupportedError(f"criu --version: expected 'Version: …', found {text.strip()!r}")
    return tuple(int(part) for part in match[1].split("."))


def relevant(log: str, count: int = 20) -> str:
    """The errors and warnings of a log, the last `count`; if it has no errors, also its end."""
    lines = [line for line in log.splitlines() if line.strip()]
    chosen = [number for number, line in enumerate(lines) if _RELEVANT.search(line)]
    if not any("Error" in lines[number] for number in chosen):
        chosen = sorted({*chosen, *range(max(len(lines) - 5, 0), len(lines))})
    return "\n".join(lines[number] for number in chosen[-count:])

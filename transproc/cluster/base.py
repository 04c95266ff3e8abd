# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nodes: the machines between which processes move, and all that is ever asked of one.

A node runs a program to its end, takes and gives files, and can be closed. It needs a POSIX shell, tar and criu; a tool of
ours is brought there. This machine (`LocalNode`) and machines behind SSH (`ssh.SshNode`) differ only in how a shell is
started whose standard streams we hold; the rest is shared here, in `session.py` and in `channel.py`.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self

from transproc.cluster import archive, parcel
from transproc.cluster.channel import STALL_SECONDS, Channel
from transproc.cluster.connection import Connection
from transproc.cluster.description import Description
from transproc.cluster.join import carry, join
from transproc.cluster.members import FILES, IMAGES, Rules
from transproc.cluster.session import USUAL_SECONDS, Begun, Result, Session
from transproc.errors import CommandError, NodeError, TransprocError
from transproc.run import bounded

DATA = PurePosixPath("/var/lib/transproc")
"""Where a node keeps what is ours: jobs, tools, images."""

FULL = "No space left on device"
"""ENOSPC, as the C libraries word it."""

LEADING = "serve"
"""The mode of our tool in a session's connection, which the channels' share."""
LOST = 255
"""Status of OpenSSH's client if there was no connection."""
MOST_WORDS = 16 << 20
"""Bytes that a node may say without our tool, and in errors: nothing that is meant is so long."""
SMALL = 4 << 20
"""Bytes that go through the session at once."""


class Node(ABC):
    """One machine.

    Methods may be called from several threads at once; each raises NodeError if the machine cannot be reached.
    """

    def __init__(self, name: str, description: Description | None = None) -> None:
        self.name = name
        self.description = description or Description()
        self._opening = threading.RLock()
        self._session: Session | None = None
        self._spare: list[Channel] = []
        self._openers: list[threading.Thread] = []

    most_errors: int | None = MOST_WORDS
    """Bytes of errors after which a connection is ended; None for any."""

    # What an implementation provides

    @abstractmethod
    def command(self, script: str, *, leads: bool = False) -> list[str]:
        """The command line that runs a shell script on the node, with our standard streams. `leads`: others share its connection,
        and it does not end before these.
        """

    @abstractmethod
    def explain(self, booted: bool, errors: str) -> NodeError:
        """Why a connection has ended: before our tool answered there, or later (`booted`); `errors`: what was said."""

    def same(self, other: Node) -> bool:
        """Whether it is the same machine, reached in the same way."""
        return type(self) is type(other) and self.name == other.name

    # Connections

    @property
    def session(self) -> Session:
        """The session; opened if there is none, or the last one was lost. Raises NodeError."""
        with self._opening:
            if self._session is None or not self._session.alive:
                if self._session is not None:
                    self._session.close()
                self._session = Session(self._connect(LEADING))
            return self._session

    def spare(self, count: int) -> None:
        """Opens channels, for as many programs with streams (`pipe`) to start without delay later."""
        _ = self.session  # first: the others share its connection
        with self._opening:
            under_way = [thread for thread in self._openers if thread.is_alive()]
            missing = count - len(self._spare) - len(under_way)
            begun = [threading.Thread(target=self._open_spare) for _ in range(missing)]
            for thread in begun:
                thread.start()
            self._openers = openers = under_way + begun
        for thread in openers:
            thread.join()

    def channel(self) -> Channel:
        """A channel for one program; the caller closes it."""
        _ = self.session
        while True:
            with self._opening:
                if self._spare:
                    return self._spare.pop()
                opener = next((thread for thread in self._openers if thread.is_alive()), None)
            if opener is None:
                return Channel(self._connect("channel"))
            opener.join()

    def close(self) -> None:
        """Ends all connections; the node may be used again and then connects anew."""
        with self._opening:
            spare, self._spare = self._spare, []
            session, self._session = self._session, None
        for channel in spare:
            channel.close()
        if session is not None:
            session.close()

    def _connect(self, mode: str) -> Connection:
        command = partial(self.command, leads=mode == LEADING)
        return Connection(self.name, command, self.explain, str(DATA / "bin"), mode, most=self.most_errors)

    def _open_spare(self) -> None:
        with contextlib.suppress(
            TransprocError
        ):  # whoever needs it opens another one, and hears why it fails
            channel = Channel(self._connect("channel"))
            with self._opening:
                self._spare.append(channel)

    # What users call

    def once(self, script: str, *, timeout: float) -> Result:
        """Runs a shell script without our tool, in a connection of its own: for a node of which nothing is known yet.

        Raises NodeError if the node cannot be reached, or after `timeout` seconds.
        """
        try:
            done = bounded(self.command(script), most=MOST_WORDS, timeout=timeout)
        except CommandError as error:
            raise self.explain(False, error.stderr) from error
        if done.returncode == LOST:
            raise self.explain(False, done.stderr.decode(errors="replace"))
        return done

    def run(
        self,
        argv: Sequence[str | PurePosixPath],
        *,
        stdin: bytes | None = None,
        check: bool = True,
        timeout: float | None = None,
    ) -> Result:
        """Runs a program to its end, without a terminal, and returns its status, output and errors.

        Death by signal n is status -n, a program that is not there 127. Raises CommandError if the program fails and
        `check` is set; NodeError after `timeout` seconds (by default a minute), when the program has been ended.
        """
        words = [str(word) for word in argv]
        done = self.session.run(words, stdin, USUAL_SECONDS if timeout is None else timeout)
        if check and done.returncode:
            raise self.failed(words, done)
        return done

    def begin(self, argv: Sequence[str], *, timeout: float) -> Begun:
        """Starts a program ahead, which waits for its standard input for `timeout` seconds at most."""
        return self.session.begin(list(argv), timeout)

    def pipe(
        self,
        argv: Sequence[str],
        stdin: IO[bytes] | None,
        stdout: IO[bytes] | None,
        *,
        stall: float | None = STALL_SECONDS,
    ) -> None:
        """Runs a program between files or pipes until it ends. Raises CommandError if it fails, NodeError if nothing moves
        for `stall` seconds.
        """
        channel = self.channel()
        try:
            channel.start(argv)
            channel.carry(stdin, stdout, stall=stall)
            done = channel.finish(argv, USUAL_SECONDS)
        finally:
            channel.close()
        if done.returncode:
            raise self.failed(argv, done)

    def output(self, argv: Sequence[str | PurePosixPath], *, timeout: float | None = None) -> str:
        """Standard output of a program that must succeed."""
        return self.run(argv, timeout=timeout).stdout.decode(errors="replace")

    @cached_property
    def isa(self) -> str:
        """As `uname -m` says it."""
        return self.session.connection.isa

    @property
    def tool(self) -> str:
        """Where the pause tool is there."""
        return self.session.connection.tool

    def packs(self, other: Node) -> bool:
        """Whether streams between it and another node are packed where that pays: not where SSH compresses all there is."""
        return not (self.description.compression or other.description.compression)

    def packing(self, argv: Sequence[str]) -> list[str]:
        """The command that runs a program there, and packs what that prints while the link is what takes the time."""
        return [self.tool, "pack", "--", *argv]

    def unpacking(self, argv: Sequence[str]) -> list[str]:
        """The command that runs a program there with what was packed."""
        return [self.tool, "unpack", "--", *argv]

    @cached_property
    def gnu_tar(self) -> bool:
        """Its tar knows sparse files and times below a second; asked once."""
        return b"GNU tar" in self.run(["tar", "--version"], check=False).stdout

    def put(
        self,
        local: Path,
        remote: str | PurePosixPath,
        *,
        given: archive.Given | None = None,
        parents: bool = True,
    ) -> None:
        """Copies a file or a directory to path `remote` itself, with modes, times, symbolic links and holes.

        Missing parents are made, without `parents` only the last of them. An existing file is replaced, never overwritten, so it
        may be one that is being executed; an existing directory keeps what `local` does not have. `given`: owner and mode, else
        those that it has here.
        Raises CommandError if either side's tar fails.
        """
        path = PurePosixPath(remote)
        script = ["sh", "-c", archive.unpack_script(path.parent, parents=parents)]
        with archive.pack(local, path.name, gnu=self.gnu_tar, given=given) as stream:
            if archive.size(local) <= SMALL:  # no channel has to be opened for that
                self.run(script, stdin=stream.read())
            else:
                self.pipe(script, stream, None)

    def get(self, remote: str | PurePosixPath, local: Path, rules: Rules = FILES) -> None:
        """Copies a file or a directory from the node to path `local` itself; otherwise as `put`.

        Raises FormatError if the node sends what the `rules` do not allow.
        """
        tool = self.tool if rules is IMAGES else None
        script = archive.pack_script(PurePosixPath(remote), gnu=self.gnu_tar, tool=tool)
        with archive.unpack(local, rules) as stream:
            self.pipe(["sh", "-c", script], None, stream)

    def give_parcel(self, remote: str | PurePosixPath, local: Path, rules: Rules) -> int:
        """As `get`, for a directory of small files, at once; returns its bytes, or 0, and does nothing, if it holds too much."""
        argv = [self.tool, "give", "--dir", str(remote)]
        done = self.run(argv, check=False)
        if done.returncode == parcel.TOO_LARGE:
            return 0
        if done.returncode:
            raise self.failed(argv, done)
        parcel.unpack(done.stdout, local, rules)
        return len(done.stdout)

    def take_parcel(self, local: Path, remote: str | PurePosixPath) -> int:
        """Puts what is in a directory of ours, and small, into one there, for root alone; returns its bytes."""
        data = parcel.pack(local)
        self.run([self.tool, "take", "--dir", str(remote)], stdin=data)
        return len(data)

    def relay(
        self,
        path: str,
        target: Node,
        rules: Rules = FILES,
        *,
        directory: str,
        keep: Path | None = None,
        listed: str | None = None,
        changing: bool = False,
        large: bool = False,
        told: Callable[[int], None] | None = None,
    ) -> int:
        """Copies a file or directory to another node: see `join.join`."""
        return join(
            self,
            path,
            target,
            rules,
            directory=directory,
            keep=keep,
            listed=listed,
            changing=changing,
            large=large,
            told=told,
        )

    def carry(self, path: str, target: Node, rules: Rules = FILES, *, directory: str, most: int) -> int:
        """Copies a file or directory to another node in one piece, if it is small: see `join.carry`."""
        return carry(self, path, target, rules, directory=directory, most=most)

    def put_bytes(self, data: bytes, remote: str | PurePosixPath, *, mode: int = 0o644) -> None:
        """Writes a file, replaced in one step."""
        path = shlex.quote(str(remote))
        script = f"set -e; umask 077; mkdir -p {shlex.quote(str(PurePosixPath(remote).parent))}; t=$(mktemp {path}.XXXXXX); "
        script += f'cat >"$t"; chmod {mode:o} "$t"; mv -f "$t" {path}'
        self.run(["sh", "-c", script], stdin=data)

    def get_bytes(self, remote: str | PurePosixPath) -> bytes:
        """Contents of a file."""
        return self.run(["cat", str(remote)]).stdout

    def exists(self, remote: str | PurePosixPath) -> bool:
        """Whether there is something at that path."""
        return self.run(["test", "-e", str(remote)], check=False).returncode == 0

    def failed(self, argv: Sequence[str], done: Result) -> CommandError:
        """The error for a program that has failed here."""
        text = done.stderr.decode(errors="replace")
        hint = f"node {self.name} is full: make room there" if FULL in text else None
        return CommandError(argv, done.returncode, text, hint=hint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

"""Nodes: the machines between which processes move, and all that is ever asked of one.

A node runs a program to its end, takes and gives files, and can be closed. It needs a POSIX shell, tar and criu, nothing
of ours. This machine (`LocalNode`) and machines behind SSH (`ssh.SshNode`) differ only in how they start a program
whose standard streams we hold; the rest is shared here.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self

from transproc.cluster import archive
from transproc.cluster.members import FILES, Rules
from transproc.errors import CommandError, NodeError

DATA = PurePosixPath("/var/lib/transproc")
"""Where a node keeps what is ours: jobs, tools, images."""

FULL = "No space left on device"
"""ENOSPC, as the C libraries word it."""

_ISA = re.compile(r"[a-z0-9_]{1,32}")

Result = subprocess.CompletedProcess[bytes]


class Node(ABC):
    """One machine.

    Methods may be called from several threads at once; each raises NodeError if the machine cannot be reached.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    # What an implementation provides

    @abstractmethod
    def _execute(
        self,
        argv: Sequence[str],
        stdin: bytes | IO[bytes] | None,
        stdout: IO[bytes] | None,
        timeout: float | None,
    ) -> Result:
        """Runs a program; `stdin` and `stdout` may be files (pipes) to be read to their end and written to."""

    @abstractmethod
    def close(self) -> None:
        """Ends the connection; the node may be used again and then connects anew."""

    # What users call

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
        `check` is set; NodeError after `timeout` seconds, when the program has been asked to end.
        """
        words = [str(word) for word in argv]
        done = self._execute(words, stdin, None, timeout)
        if check and done.returncode:
            raise self._failed(words, done)
        return done

    def pipe(self, argv: Sequence[str], stdin: IO[bytes] | None, stdout: IO[bytes] | None) -> None:
        """Runs a program between pipes until it ends. Raises CommandError if it fails."""
        done = self._execute(argv, stdin, stdout, None)
        if done.returncode:
            raise self._failed(argv, done)

    def output(self, argv: Sequence[str | PurePosixPath], *, timeout: float | None = None) -> str:
        """Standard output of a program that must succeed."""
        return self.run(argv, timeout=timeout).stdout.decode(errors="replace")

    @cached_property
    def isa(self) -> str:
        """As `uname -m` says it."""
        name = self.output(["uname", "-m"]).strip()
        if not _ISA.fullmatch(name):  # it becomes a part of paths here
            raise NodeError(self.name, f"its ISA is {name!r}")
        return name

    @cached_property
    def gnu_tar(self) -> bool:
        """Its tar knows sparse files and times below a second; asked once."""
        return b"GNU tar" in self.run(["tar", "--version"], check=False).stdout

    def put(self, local: Path, remote: str | PurePosixPath, *, given: archive.Given | None = None) -> None:
        """Copies a file or a directory to path `remote` itself, with modes, times, symbolic links and holes.

        Missing parents are made. An existing file is replaced, never overwritten, so it may be one that is being executed;
        an existing directory keeps what `local` does not have. `given`: owner and mode, else those that it has here.
        Raises CommandError if either side's tar fails.
        """
        path = PurePosixPath(remote)
        with archive.pack(local, path.name, gnu=self.gnu_tar, given=given) as stream:
            self.pipe(["sh", "-c", archive.unpack_script(path.parent)], stream, None)

    def get(self, remote: str | PurePosixPath, local: Path, rules: Rules = FILES) -> None:
        """Copies a file or a directory from the node to path `local` itself; otherwise as `put`.

        Raises FormatError if the node sends what the `rules` do not allow.
        """
        with archive.unpack(local, rules) as stream:
            self.pipe(
                ["sh", "-c", archive.pack_script(PurePosixPath(remote), gnu=self.gnu_tar)], None, stream
            )

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

    def _failed(self, argv: Sequence[str], done: Result) -> CommandError:
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

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The way to a node: a process of this machine, such as OpenSSH's client, at whose other end our tool runs.

A shell script brings the tool to the node if it is not there, and becomes it (`serve` or `channel`, runtime/tool/serve.h): so a
login shell runs once for a connection, not for each step.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from transproc.cluster import owner
from transproc.errors import NodeError
from transproc.process.build import build
from transproc.run import begin, limit_files

BOOT_SECONDS = 30.0
"""From the start of a connection until our tool answers: a login shell may take a while, an emulated machine too."""
_ISA = re.compile(r"[a-z0-9_]{1,32}")
_MARK = b"== transproc "
_LINE = 1 << 16
_NOISE = 1 << 20
"""Bytes that a login shell may print before us."""

BOOT = """
umask 077
echo
echo "== transproc $(uname -m)"
read -r path size mode || exit
if [ -x "$path" ]; then
  echo have
else
  echo need
  mkdir -p "${path%/*}" && draft=$(mktemp "$path.XXXXXX") || exit
  trap 'rm -f "$draft"' EXIT
  head -c "$size" >"$draft" && [ "$(($(wc -c <"$draft")))" = "$size" ] && chmod 755 "$draft" && mv -f "$draft" "$path" || exit
  echo have
fi
if [ -d /run/systemd/system ] && grep -q ':/user\\.slice/' /proc/self/cgroup; then
  for place in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ ! -f "$place/cgroup.procs" ] || { mkdir -p "$place/transproc" && echo $$ >"$place/transproc/cgroup.procs"; }
  done 2>/dev/null
fi
exec "$path" "$mode" -- {owner}
"""
"""The last lines: what is started must outlive this login, but systemd ends what belongs to one: with its session, if
`KillUserProcesses` is set, or with its user's last one. So root leaves for a group of our own. Those of others, as Slurm's, are
not left: they count. {owner}: see `owner`; what is behind -- says nothing to our tool."""


class Connection:
    """A process of this machine at whose other end our tool runs on a node.

    `command` makes the command line of a shell script there, `explain` the error for a connection that has failed: before
    our tool has answered or later, and what the connecting program said. `most`: bytes of errors after which it is ended.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[str], list[str]],
        explain: Callable[[bool, str], NodeError],
        directory: str,
        mode: str,
        *,
        most: int | None = None,
    ) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the connection)
        weakref.finalize(self, self._errors.close)  # or with the process
        self._owner = owner.new()
        self.process: subprocess.Popen[bytes] = begin(
            command(BOOT.replace("{owner}", self._owner)),
            stderr=self._errors,
            env={**os.environ, "SHELL": "/bin/sh"},
        )  # by which OpenSSH's client starts what it needs: a user's own may take a while
        if most is not None:
            limit_files(self.process.pid, most)
        self._explain = explain
        self.isa = self.tool = ""
        try:
            with self._deadline():
                self.isa = self._mark()
            local = build(self.isa)  # the first time it is compiled, for which the node is not to be blamed
            with self._deadline():
                self._boot(f"{directory}/{local.name}", local.read_bytes(), mode)
        except BaseException:
            self.close(grace=0)
            raise

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """The node has BOOT_SECONDS."""
        watch = threading.Timer(BOOT_SECONDS, self.process.kill)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def _boot(self, tool: str, data: bytes, mode: str) -> None:
        self.tool = tool
        try:
            self.stdin.write(f"{self.tool} {len(data)} {mode}\n".encode())
            self.stdin.flush()
            word = self.stdout.readline(16)
            if word == b"need\n":
                self.stdin.write(data)
                self.stdin.flush()
                word = self.stdout.readline(16)  # nothing may follow before: a small head(1) reads ahead
        except OSError:
            word = b""
        if word != b"have\n":
            raise self.lost(booted=False)

    def _mark(self) -> str:
        """The node's ISA, from the line that our script prints, behind whatever a login shell does."""
        noise = 0
        while noise < _NOISE and (line := self.stdout.readline(_LINE)):
            if line.startswith(_MARK) and line.endswith(b"\n"):
                return self._checked(line[len(_MARK) :].decode("ascii", "replace").strip())
            noise += len(line)
        raise self.lost(booted=False)

    def _checked(self, isa: str) -> str:
        if not _ISA.fullmatch(isa):  # it becomes a part of paths here
            raise NodeError(self.name, f"its ISA is {isa!r}")
        return isa

    @property
    def stdin(self) -> IO[bytes]:
        """To the program on the node."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """From the program on the node."""
        assert self.process.stdout is not None
        return self.process.stdout

    def errors(self) -> str:
        """What the connecting program, or the one on the node, has written to standard error."""
        self._errors.seek(0)
        return self._errors.read(1 << 20).decode(errors="replace")

    def lost(self, *, booted: bool = True) -> NodeError:
        """The error for a connection that has ended."""
        self.end(2.0)
        return self._explain(booted, self.errors())

    def end(self, grace: float) -> int:
        """Waits so many seconds for the end of the connecting process, then ends it; returns its status."""
        owner.close(self._owner)
        try:
            return self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def close(self, grace: float = 2.0) -> None:
        """Ends the connection: the tool notices that its standard input ends."""
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        self.end(grace)
        self._errors.close()

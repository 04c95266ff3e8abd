"""This machine as a node."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO

from transproc.cluster.base import Node, Result
from transproc.errors import CommandError, NodeError
from transproc.run import run, spawn

NOT_FOUND = 127
"""Status of a shell for a program that is not there, which an SSH server passes on: so do we."""


class LocalNode(Node):
    """Programs are started directly; `put` and `get` copy within this machine."""

    def __init__(self, name: str = "local") -> None:
        super().__init__(name)

    def close(self) -> None:
        """There is no connection."""

    def _execute(
        self,
        argv: Sequence[str],
        stdin: bytes | IO[bytes] | None,
        stdout: IO[bytes] | None,
        timeout: float | None,
    ) -> Result:
        if stdout is None and (stdin is None or isinstance(stdin, bytes)):
            return self._run(argv, stdin, timeout)
        source = subprocess.DEVNULL if stdin is None or isinstance(stdin, bytes) else stdin
        with (
            tempfile.TemporaryFile() as errors,
            spawn(argv, stdin=source, stdout=stdout or subprocess.DEVNULL, stderr=errors) as process,
        ):
            status = process.wait(timeout)
            errors.seek(0)
            return Result(list(argv), status, b"", errors.read())

    def _run(self, argv: Sequence[str], stdin: bytes | None, timeout: float | None) -> Result:
        try:
            return run(argv, stdin=stdin, timeout=timeout, check=False)
        except CommandError as error:
            if error.status == NOT_FOUND:
                return Result(list(argv), NOT_FOUND, b"", error.stderr.encode())
            raise NodeError(self.name, error.message) from error

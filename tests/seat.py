# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A person at a terminal, on which one command of ours is."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

SECONDS = 30.0
BIN = Path(sys.executable).parent


class Seat:
    """A terminal with one command on it."""

    def __init__(
        self, *words: str, rows: int = 30, columns: int = 100, env: Mapping[str, str] | None = None
    ) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(0, 1)
            os.execve(BIN / "transproc", ["transproc", "--quiet", *words], dict(env or os.environ))
        self.shown = ""
        self.resize(rows, columns)
        os.write(self.fd, b"\n")

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def writes(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def types(self, text: str, *, sees: str) -> None:
        self.writes(text)
        self.sees(sees)

    def sees(self, text: str) -> None:
        """Waits until that is shown."""
        until = time.monotonic() + SECONDS
        while text not in self.shown and time.monotonic() < until:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.fd, 4096).decode()
                except OSError:  # EIO: the command has ended
                    break
        assert text in self.shown, self.shown

    def status(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)

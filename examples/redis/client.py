"""A client for Redis: RESP2 over the standard streams of a program, such as `nc` on the node where the server is."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

END = b"\r\n"


class ReplyError(Exception):
    """The server answered with an error."""


class Connection:
    """One connection; every method raises `OSError` when it is lost."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout

    def close(self) -> None:
        """Ends the connection, and waits for its program."""
        try:
            self._to.close()
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._from.close()

    def send(self, *commands: Sequence[Any]) -> None:
        """Sends commands without waiting for their replies."""
        for words in commands:
            parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            self._to.write(b"*%d\r\n" % len(parts))
            self._to.writelines(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._to.flush()

    def receive(self) -> Any:
        """The next reply: a number, bytes, None or a list of them; an error is raised, but is a value within a list."""
        reply = self._reply()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def call(self, *words: Any) -> Any:
        """One command and its reply."""
        self.send(words)
        return self.receive()

    def _reply(self) -> Any:
        line = self._from.readline()
        if not line.endswith(END):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ReplyError(rest.decode())
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        return [self._reply() for _ in range(number)] if kind == b"*" else self._bytes(number)

    def _bytes(self, size: int) -> bytes:
        data = self._from.read(size + len(END))
        if len(data) != size + len(END):
            raise ConnectionError("the server closed the connection")
        return data[:size]

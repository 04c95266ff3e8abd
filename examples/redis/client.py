# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A client for Redis: RESP2, its protocol (https://redis.io/docs/latest/develop/reference/protocol-spec)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from servers import Connection as Bytes


class ReplyError(Exception):
    """The server answered with an error."""


class Connection(Bytes):
    """One connection; every method raises `OSError` when it is lost."""

    def ask(self, *commands: Sequence[Any]) -> None:
        """Sends commands without waiting for their replies."""
        sent = []
        for words in commands:
            parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            sent.append(b"*%d\r\n" % len(parts))
            sent += [b"$%d\r\n%s\r\n" % (len(part), part) for part in parts]
        self.send(b"".join(sent))

    def receive(self) -> Any:
        """The next reply: a number, bytes, None or a list of them; an error is raised, but is a value within a list."""
        reply = self._reply()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def call(self, *words: Any) -> Any:
        """One command and its reply."""
        self.ask(words)
        return self.receive()

    def _reply(self) -> Any:
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ReplyError(rest.decode())
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        return [self._reply() for _ in range(number)] if kind == b"*" else self.read(number + 2)[:-2]

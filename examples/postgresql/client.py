# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A client of PostgreSQL: its protocol, version 3, simple queries (https://www.postgresql.org/docs/current/protocol.html)."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from servers import Connection

VERSION = 3 << 16


class ServerError(Exception):
    """What the server has refused; the message is its own."""


class Client:
    """A session; every method raises `OSError` when its connection is lost."""

    def __init__(self, node: str, host: str, port: int) -> None:
        self._connection = Connection(node, port, host)
        words = b"user\0postgres\0database\0postgres\0\0"
        self._connection.send(struct.pack("!ii", 8 + len(words), VERSION) + words)
        self._answer()

    def query(self, text: str) -> list[list[str]]:
        """The rows of a statement's result. Raises `ServerError`."""
        data = text.encode() + b"\0"
        self._connection.send(b"Q" + struct.pack("!i", 4 + len(data)) + data)
        return self._answer()

    def close(self) -> None:
        """Ends the session."""
        self._connection.close()

    def _answer(self) -> list[list[str]]:
        """All messages until the server is ready for the next query."""
        rows, problem = [], ""
        while True:
            head = self._connection.read(5)
            body = self._connection.read(struct.unpack("!i", head[1:])[0] - 4)
            match head[:1]:
                case b"D":
                    rows.append(_row(body))
                case b"E":
                    problem = body.replace(b"\0", b" ").decode()
                    if body.startswith(b"SFATAL"):  # the server closes the connection behind it
                        raise ConnectionError(problem)
                case b"Z" if problem:
                    raise ServerError(problem)
                case b"Z":
                    return rows


def _row(body: bytes) -> list[str]:
    """The fields of a row, as text; NULL is empty."""
    fields, at = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        fields.append(body[at : at + max(size, 0)].decode())
        at += max(size, 0)
    return fields

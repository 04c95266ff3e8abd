# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A server in C++ moves between the lab's machines under load: `transproc example cpp-httplib` runs this.

Usage: drive.py SERVER, with $NODES, $HOPS and $SEED. Values of all sizes are put and asked for; those that are not there are
exceptions in the server.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from servers import Connection, EndedError, drive

PORT = 7786
KEYS = 20
chance = random.Random(int(os.environ["SEED"]))
known: dict[int, bytes] = {}


def ask(connection: Connection, words: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of the reply."""
    connection.send(f"{words} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    status, size, left = int(connection.line().split()[1]), 0, ""
    while line := connection.line().decode().lower():
        name, _, value = line.partition(":")
        size = int(value) if name == "content-length" else size
        left = value.strip() if name == "connection" else left
    data = connection.read(size)
    if left == "close":
        raise EndedError("the server ends the connection")
    return status, data


def step(connection: Connection, number: int) -> None:
    """Puts a value, asks for another, and for one that is not there."""
    new = number % KEYS
    body = number.to_bytes(4, "big") * chance.choice((0, 1, 30, 5000))
    known.pop(new, None)  # a request that is cut off may have been obeyed
    if ask(connection, f"PUT /values/k{new}", body)[0] != 204:
        raise ValueError(f"k{new} was not taken")
    known[new] = body
    for key, expected in ((chance.choice(list(known)), 200), (KEYS, 404)):
        status, data = ask(connection, f"GET /values/k{key}")
        if status != expected or (status == 200 and data != known[key]):
            raise ValueError(f"k{key}: {status}, {len(data)} bytes, expected {len(known.get(key, b''))}")


drive("httplib", [sys.argv[1], str(PORT)], PORT, step)

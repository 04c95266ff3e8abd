# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memcached moves between the lab's machines under load: `transproc example memcached` runs this.

Usage: drive.py MEMCACHED, with $NODES, $HOPS and $SEED. Every value that was ever stored is known, and asked for again.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from servers import Connection, drive

PORT = 7784
KEYS = 500
chance = random.Random(int(os.environ["SEED"]))
stored: dict[int, bytes] = {}


def ask(connection: Connection, key: int) -> bytes | None:
    """The value of a key."""
    connection.send(b"get k%d\r\n" % key)
    head = connection.line()
    if head == b"END":
        return None
    value = connection.read(int(head.split()[3]) + 2)[:-2]
    if connection.line() != b"END":
        raise ValueError("no END behind a value")
    return value


def step(connection: Connection, number: int) -> None:
    """One key gets a value, another is asked for. What is done twice, after a lost connection, has the same result."""
    key = number % KEYS
    value = (b"%d:" % number) * (1 + number * 7919 % 2000)
    connection.send(b"set k%d 0 0 %d\r\n%b\r\n" % (key, len(value), value))
    if (reply := connection.line()) != b"STORED":
        raise ValueError(reply)
    stored[key] = value
    other = chance.choice(list(stored))
    if ask(connection, other) != stored[other]:
        raise ValueError(f"k{other} has another value than it was given")


drive(
    "memcached",
    [sys.argv[1], "-u", "root", "-l", "127.0.0.1", "-p", str(PORT), "-t", "3", "-m", "64"],
    PORT,
    step,
)

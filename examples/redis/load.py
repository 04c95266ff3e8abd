# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A load for Redis that knows the right reply to each of its commands.

Every step is one transaction: a command of one of the data types, and the step's number. A connection that is lost leaves
open whether its last step took place: the number says so after the reconnection. So no step is lost, and none happens twice.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from client import Connection, ReplyError
from servers import Work

KEYS = 200
SUM = """
local n = redis.call('INCRBY', KEYS[1], ARGV[1])
local t = {}
for i = 1, 50 do t[i] = i * n end
table.sort(t, function(a, b) return a > b end)
return {n, t[1]}
"""
CAUGHT = "local ok = pcall(function() error('x' .. ARGV[1]) end) return tostring(ok)"
"""An error in a protected call: setjmp and longjmp in Lua."""

Step = tuple[list[Any], Any]


class Model:
    """What the server should hold, and a method for each kind of step: its command and the reply that is right."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.strings: dict[str, int] = {}
        self.lists: dict[str, list[bytes]] = {}
        self.hashes: dict[str, set[str]] = {}
        self.sets: dict[str, set[bytes]] = {}
        self.scores: dict[str, dict[str, int]] = {}
        self.streams: dict[str, int] = {}
        self.bits: dict[str, set[int]] = {}
        self.kinds: list[Callable[[], Step]] = [
            *(self.string, self.push, self.pop, self.hash, self.member, self.score, self.rank),
            *(self.stream, self.bit, self.script, self.failing),
        ]

    def step(self) -> Step:
        """A step of a random kind."""
        return self.chance.choice(self.kinds)()

    def _key(self, kind: str) -> str:
        return f"{kind}:{self.chance.randrange(KEYS)}"

    def _value(self) -> bytes:
        return self.chance.randbytes(self.chance.choice([1, 8, 40, 100, 700])).hex().encode()

    def string(self) -> Step:
        key, n = self._key("s"), self.chance.randrange(-1000, 1000)
        self.strings[key] = self.strings.get(key, 0) + n
        return ["INCRBY", key, n], self.strings[key]

    def push(self) -> Step:
        key, value = self._key("l"), self._value()
        self.lists.setdefault(key, []).append(value)
        return ["RPUSH", key, value], len(self.lists[key])

    def pop(self) -> Step:
        key = self._key("l")
        items = self.lists.get(key, [])
        return ["LPOP", key], items.pop(0) if items else None

    def hash(self) -> Step:
        key, field = self._key("h"), f"f{self.chance.randrange(300)}"
        fields = self.hashes.setdefault(key, set())
        new = field not in fields
        fields.add(field)
        return ["HSET", key, field, self._value()], int(new)

    def member(self) -> Step:
        key, value = self._key("m"), str(self.chance.randrange(10**4)).encode()
        members = self.sets.setdefault(key, set())
        new = value not in members
        members.add(value)
        return ["SADD", key, value], int(new)

    def score(self) -> Step:
        key, member, n = self._key("z"), f"e{self.chance.randrange(300)}", self.chance.randrange(-500, 500)
        scores = self.scores.setdefault(key, {})
        scores[member] = scores.get(member, 0) + n
        return ["ZINCRBY", key, n, member], str(scores[member]).encode()

    def rank(self) -> Step:
        key = self._key("z")
        items = sorted(self.scores.get(key, {}).items(), key=lambda item: (item[1], item[0].encode()))
        flat = [word for name, n in items[:5] for word in (name.encode(), str(n).encode())]
        return ["ZRANGE", key, 0, 4, "WITHSCORES"], flat

    def stream(self) -> Step:
        key = self._key("x")
        self.streams[key] = n = self.streams.get(key, 0) + 1
        return ["XADD", key, f"{n}-7", "field", self._value()], f"{n}-7".encode()

    def bit(self) -> Step:
        key, n = self._key("b"), self.chance.randrange(5000)
        bits = self.bits.setdefault(key, set())
        old = n in bits
        bits.add(n)
        return ["SETBIT", key, n, 1], int(old)

    def script(self) -> Step:
        key, n = self._key("s"), self.chance.randrange(1, 100)
        self.strings[key] = total = self.strings.get(key, 0) + n
        return ["EVAL", SUM, 1, key, n], [total, max(total, 50 * total)]

    def failing(self) -> Step:
        return ["EVAL", CAUGHT, 0, 5], b"false"


class Load(Work):
    """Steps without a pause; reconnects when the connection is lost. `reach` opens a connection with the server."""

    def __init__(self, reach: Callable[[], Connection], seed: int) -> None:
        super().__init__()
        self._reach, self._model = reach, Model(seed)
        self.longest = 0.0
        """Seconds that a step has taken at most."""

    def work(self) -> None:
        """As `Work` says."""
        connection = self._open()
        while not self.end.is_set():
            command, expected = self._model.step()
            begin = time.monotonic()
            connection, reply = self._step(connection, command)
            self.longest = max(self.longest, time.monotonic() - begin)
            if reply is not ... and reply != expected:
                raise ReplyError(f"{command}: {reply!r}, expected {expected!r}")
        connection.close()

    def _step(self, connection: Connection, command: list[Any]) -> tuple[Connection, Any]:
        """The command's reply; ... if the step took place, but its reply was lost with the connection."""
        number = self.steps + 1
        while True:
            try:
                connection.ask(["MULTI"], command, ["SET", "step", number], ["EXEC"])
                replies = [connection.receive() for _ in range(4)][-1]
            except TimeoutError:  # it hangs
                raise
            except OSError:
                connection.close()
                connection = self._open()
                self.reconnections += 1
                done = int(connection.call("GET", "step") or 0)
                if done == self.steps:
                    continue
                if done != number:
                    raise ReplyError(
                        f"the server is at step {done}, expected {number - 1} or {number}"
                    ) from None
                replies = [...]
            self.steps = number
            return connection, replies[0]

    def _open(self) -> Connection:
        while True:
            connection = self._reach()
            try:
                connection.call("PING")
            except TimeoutError:
                raise
            except (OSError, ReplyError):
                connection.close()
                if self.end.is_set():
                    raise
                time.sleep(0.1)
            else:
                return connection

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whoever shows wrong tokens is made to wait: not because one could be guessed, but because guessing costs us time.

Failures are counted for an address together with the id that the token claims: nobody can shut out a token that he does not
know half of already.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from transproc.controller.tokens import Token, Tokens, identity_of

FREE = 5
"""Failures without a wait."""
LONGEST = 60.0
"""Seconds of a wait; it doubles with each failure, and is forgotten as long after the last one."""
KEPT = 10_000


class TooManyError(Exception):
    """`seconds` until another token is looked at."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Guard:
    """Checks tokens. Methods may be called from several threads."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, text: str, address: str) -> Token | None:
        """The token that somebody at an address shows, None if it is not valid. Raises `TooManyError`."""
        key = address, identity_of(text)
        with self._lock:
            count, until = self._failures.get(key, (0, 0.0))
            now = time.monotonic()
            if now < until:
                raise TooManyError(until - now)
            if now > until + LONGEST:
                count = 0
        token = self._tokens.check(text)
        with self._lock:
            if token is not None:
                self._failures.pop(key, None)
                return token
            wait = 0.0 if count < FREE else min(LONGEST, 2.0 ** (count - FREE) / 2)
            self._failures[key] = count + 1, time.monotonic() + wait
            self._failures.move_to_end(key)
            while len(self._failures) > KEPT:
                self._failures.popitem(last=False)
        return None

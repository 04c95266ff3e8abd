# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sessions of browsers: after a log-in with a token the browser has a signed cookie, and never the token.

Cookies are `TOKEN-ID.EXPIRES.SIGNATURE`, valid as long as the token is, over restarts of the controller. They are
SameSite=Strict, HttpOnly and Secure; what changes something must come from the controller's own pages (`Origin`, or
`Sec-Fetch-Site`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path

from transproc.controller.tokens import Token, Tokens

COOKIE = "transproc_session"
SECONDS = 12 * 3600.0
"""How long a browser stays logged in."""


class Sessions:
    """`key`: a file with 32 random bytes, made when missing, for its owner alone."""

    def __init__(self, key: Path, tokens: Tokens) -> None:
        self._tokens = tokens
        if not key.exists():
            file = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(file, secrets.token_bytes(32))
            os.close(file)
        self._key = key.read_bytes()

    def begin(self, token: Token) -> str:
        """The value of a new cookie."""
        words = f"{token.id}.{int(time.time() + SECONDS)}"
        return f"{words}.{self._sign(words)}"

    def check(self, cookie: str) -> Token | None:
        """The token of a cookie that is valid."""
        words, _, signature = cookie.rpartition(".")
        if not cookie.isascii() or not hmac.compare_digest(self._sign(words), signature):
            return None
        identity, _, expires = words.partition(".")
        return self._tokens.by_id(identity) if int(expires) > time.time() else None

    def _sign(self, words: str) -> str:
        return hmac.new(self._key, words.encode(), hashlib.sha256).hexdigest()

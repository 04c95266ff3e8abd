# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Who may use a controller: bearer tokens, each with a name and a role.

A token is shown once, when it is made. The records hold its SHA-256: a secret of 256 random bits needs no slow hash. Its first
part is its id, by which the record is found; the rest is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

from transproc.cluster.database import Database
from transproc.errors import TransprocError

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,39}")
_TOKEN = re.compile(r"transproc_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
USED_SECONDS = 60.0
"""A token's last use is recorded so often."""


class Role(StrEnum):
    """What a token allows; each role includes those before it."""

    VIEW = "view"  # see jobs, nodes and what happens
    OPERATE = "operate"  # start, move and end jobs
    ADMIN = "admin"  # nodes and policies; programs that are on the controller's host; other users' names

    def includes(self, other: Role) -> bool:
        """Whether it allows what `other` does."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class Token:
    """What is known of a token; times in seconds of the epoch, `used` within a minute."""

    id: str
    name: str
    role: Role
    created: float
    expires: float | None
    used: float | None

    @property
    def expired(self) -> bool:
        """It is not accepted any more."""
        return self.expires is not None and self.expires <= time.time()


class Tokens:
    """All tokens of a state directory. Methods may be called from several threads; each may raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, role: Role, seconds: float | None = None) -> str:
        """Makes a token, which is valid for so many seconds, and returns it: nobody can tell it later."""
        if not _NAME.fullmatch(name):
            raise TransprocError(
                f"token name {name!r}: expected lower-case letters, digits, '.', '_', '@', '-', at most 40"
            )
        identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        words = {
            "id": identity,
            "name": name,
            "role": role,
            "digest": _digest(secret),
            "created": time.time(),
        }
        words["expires"] = None if seconds is None else time.time() + seconds
        made = self._database.change(
            "INSERT OR IGNORE INTO tokens (id, name, role, digest, created, expires)"
            " VALUES (:id, :name, :role, :digest, :created, :expires)",
            words,
        )
        if not made:
            raise TransprocError(
                f"token {name}: there is one of that name", hint=f"'transproc token remove {name}' first"
            )
        return f"transproc_{identity}_{secret}"

    def all(self) -> list[Token]:
        """All of them, by name."""
        return [_token(row) for row in self._database.all(f"{_QUERY} ORDER BY name")]

    def remove(self, name: str) -> None:
        """From now on it is refused. Raises `TransprocError` if there is none of that name."""
        if not self._database.change("DELETE FROM tokens WHERE name = :name", {"name": name}):
            raise TransprocError(f"token {name}: there is none", hint="'transproc token list' shows them")

    def check(self, text: str) -> Token | None:
        """The token that somebody shows; None if it is none, or valid no longer."""
        match = _TOKEN.fullmatch(text)
        if match is None:
            return None
        identity, secret = match.groups()
        rows = self._database.all("SELECT digest FROM tokens WHERE id = ?", identity)
        known = rows[0][0] if rows else bytes(32)
        return self.by_id(identity) if hmac.compare_digest(_digest(secret), known) else None

    def by_id(self, identity: str) -> Token | None:
        """The valid token of that id."""
        rows = self._database.all(f"{_QUERY} WHERE id = ?", identity)
        if not rows or (token := _token(rows[0])).expired:
            return None
        if token.used is None or time.time() - token.used > USED_SECONDS:
            words = {"id": identity, "used": time.time()}
            self._database.change("UPDATE tokens SET used = :used WHERE id = :id", words)
        return token


def identity_of(text: str) -> str:
    """The id that a token claims to have; empty if it is none."""
    match = _TOKEN.fullmatch(text)
    return match.group(1) if match else ""


_QUERY = "SELECT id, name, role, created, expires, used FROM tokens"


def _token(row: tuple[str, str, str, float, float | None, float | None]) -> Token:
    identity, name, role, created, expires, used = row
    return Token(identity, name, Role(role), created, expires, used)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

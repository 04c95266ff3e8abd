# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controllers that a user knows: the URL, his token, and the certificate that the controller must show.

One file for the user alone (`contexts.json` beside his list of nodes). A controller's own certificate is in no directory of
authorities: it is accepted once, by its fingerprint, and from then on it is the only one that is accepted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import urllib.parse
from dataclasses import asdict, dataclass
from pathlib import Path

from transproc import paths
from transproc.errors import FormatError, MissingError, TransprocError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Controller:
    """Where a controller is. `certificate`: PEM, the only one that is accepted; empty: any that an authority vouches for."""

    url: str
    token: str
    certificate: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        found = urllib.parse.urlsplit(self.url)
        return found.hostname or "", found.port or 443


def load() -> tuple[str | None, dict[str, Controller]]:
    """The name of the one that is used by default, and all of them. Raises `FormatError`."""
    path = paths.contexts()
    if not path.exists():
        return None, {}
    try:
        found = json.loads(path.read_text())
        known = {name: Controller(**words) for name, words in found["contexts"].items()}
        return found["current"], known
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"not a list of controllers: {error}", path=path) from error


def save(current: str | None, known: dict[str, Controller]) -> None:
    """Replaces the file."""
    path = paths.contexts()
    path.parent.mkdir(parents=True, exist_ok=True)
    words = {"current": current, "contexts": {name: asdict(one) for name, one in known.items()}}
    paths.write_private(path, json.dumps(words, indent=2).encode())


def find(text: str) -> Controller:
    """The one of that name or URL. Raises `MissingError`."""
    _, known = load()
    if text in known:
        return known[text]
    for one in known.values():
        if one.url == text.rstrip("/"):
            return one
    if text.startswith("https://") and (token := os.environ.get("TRANSPROC_TOKEN")):
        return Controller(checked_url(text), token)
    hint = "'transproc context add NAME URL' makes one known"
    raise MissingError(f"controller {text}: unknown; there are {', '.join(known) or 'none'}", hint=hint)


def check_name(name: str) -> None:
    """Raises `TransprocError` for what cannot be a context's name."""
    if not _NAME.fullmatch(name):
        raise TransprocError(
            f"context name {name!r}: expected lower-case letters, digits, '.', '_', '-', at most 40"
        )


def checked_url(text: str) -> str:
    """Raises `TransprocError` unless it is https://HOST[:PORT]."""
    try:
        found = urllib.parse.urlsplit(text)
        good = found.scheme == "https" and found.hostname and found.path in ("", "/") and found.port != 0
    except ValueError:
        good = False
    if not good:
        raise TransprocError(f"{text}: expected https://HOST:PORT")
    return text.rstrip("/")


def shown_certificate(url: str) -> str:
    """What a controller shows now, in PEM; nobody vouches for it. Raises `TransprocError`."""
    found = Controller(url, "")
    try:
        return ssl.get_server_certificate(found.place, timeout=CONNECT_SECONDS)
    except OSError as error:
        raise TransprocError(f"controller {url}: cannot connect: {error}") from error


def fingerprint(certificate: str) -> str:
    """As `transproc serve` prints it."""
    return "sha256:" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def trust(one: Controller) -> ssl.SSLContext:
    """Who is accepted as the controller."""
    if not one.certificate:
        return ssl.create_default_context()
    made = ssl.create_default_context(cadata=one.certificate)
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.check_hostname = False  # this very certificate is it, under whatever name
    return made


def path() -> Path:
    """The file."""
    return paths.contexts()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What this package needs of a node: that it runs a program to its end. What it answers may be anything."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from transproc.errors import FormatError

Result = subprocess.CompletedProcess[bytes]


class Begun(Protocol):
    """A program that was started ahead, and waits for its standard input."""

    @property
    def waits(self) -> bool:
        """Whether it has not ended, as far as is known."""
        ...

    def ready(self, timeout: float) -> None:
        """Waits until it has said anything in its errors, or has ended, for `timeout` seconds at most."""
        ...

    def finish(self, stdin: bytes, *, timeout: float) -> Result:
        """Gives it that, and waits for its end, `timeout` seconds at most."""
        ...

    def drop(self) -> None:
        """Ends it; nothing if it has ended."""
        ...


class Runner(Protocol):
    """A node, or this machine (`Local`)."""

    def run(self, argv: Sequence[str], *, check: bool = True, timeout: float | None = None) -> Result:
        """Runs a program; raises `CommandError` if it fails and `check` is set. `timeout` in seconds."""
        ...

    def begin(self, argv: Sequence[str], *, timeout: float) -> Begun:
        """Starts a program ahead; it waits for its standard input for `timeout` seconds at most."""
        ...


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Reading an answer of a node: raises FormatError for one that is not as it should be, whatever it is."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise FormatError(
            f"{what}: the node's answer is not understood: {error}",
            hint="is everything as it should be on that node? 'transproc doctor NODE' looks",
        ) from error

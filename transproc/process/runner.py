"""What this package needs of a node: that it runs a program to its end."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Protocol

Result = subprocess.CompletedProcess[bytes]


class Runner(Protocol):
    """A node, or this machine (`Local`)."""

    def run(self, argv: Sequence[str], *, check: bool = True, timeout: float | None = None) -> Result:
        """Runs a program; raises `CommandError` if it fails and `check` is set. `timeout` in seconds."""
        ...

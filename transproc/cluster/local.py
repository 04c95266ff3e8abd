# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""This machine as a node."""

from __future__ import annotations

from transproc.cluster.base import Node
from transproc.cluster.description import Description
from transproc.errors import NodeError


class LocalNode(Node):
    """Programs are started by the same tool as elsewhere; `put` and `get` copy within this machine."""

    most_errors = None  # the kernel's limit would be that of all that runs here, too

    def __init__(self, name: str = "local", description: Description | None = None) -> None:
        super().__init__(name, description)

    def command(self, script: str, *, leads: bool = False) -> list[str]:
        """No connection is needed."""
        return ["sh", "-c", script]

    def explain(self, booted: bool, errors: str) -> NodeError:
        """Nothing but a failure of our tool, or of the shell."""
        text = errors.strip().splitlines()[-1:] or ["no message"]
        what = "our tool has ended" if booted else "our tool cannot be started"
        return NodeError(self.name, f"{what}: {text[0]}")

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fingerprints are compared by a person at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

CODE = """
from transproc.cli import main
from transproc.cli.context import _accept
from transproc.errors import TransprocError
try:
    _accept("https://host:1", "sha256:00", None)
except TransprocError as error:
    print(error.message)
"""


@pytest.mark.parametrize(("answer", "refused"), [("n", True), ("y", False)])
def test_who_says_no_is_told_that_nothing_is_listed(answer: str, *, refused: bool) -> None:
    """It was "interrupted", as for Ctrl-C."""
    terminal, ours = pty.openpty()
    os.write(terminal, f"{answer}\n".encode())
    try:
        done = subprocess.run(
            [sys.executable, "-c", CODE], stdin=ours, capture_output=True, text=True, check=True
        )
    finally:
        os.close(terminal)
        os.close(ours)
    assert ("its certificate is not the one that is expected: it is not listed" in done.stdout) == refused

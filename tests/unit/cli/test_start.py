# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line starts at once: what it imports before a command needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from transproc.cli.commands import COMMANDS

HEAVY = {"asyncio", "cryptography", "elftools", "google", "numpy", "pydantic", "rich"}


def imported(*words: str) -> set[str]:
    """Top-level modules that a run of `transproc` imports."""
    code = "import sys; from transproc.cli.main import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("words", [["--help"], ["-h"], [], ["-q", "--version"]])
def test_the_command_line_imports_nothing_heavy(words: list[str]) -> None:
    """Half of a second of imports at each start is what was found; a module in this list is 20 to 140 ms."""
    assert not imported(*words) & HEAVY


def test_the_version_needs_not_even_the_command_line() -> None:
    assert not imported("--version") & {*HEAVY, "typer", "inspect", "subprocess"}


def test_names_are_completed_from_the_table() -> None:
    """A shell asks at each press of Tab."""
    code = "import sys; from transproc.cli.main import run; sys.exit(run([]))"
    environment = {"_TRANSPROC_COMPLETE": "complete_bash", "COMP_WORDS": "transproc re", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    expected = [name for name in COMMANDS if name.startswith("re")]
    assert len(expected) > 3 and done.stdout.split() == expected, done.stderr


def test_a_migration_imports_nothing_of_other_commands() -> None:
    """What it imports takes longer than its downtime; a request of its own kind is all that it needs of those."""
    code = "import sys, transproc.controller.requests.move, transproc.host; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    others = ("transproc.automation", "transproc.controller.requests.", "transproc.lab")
    expected = {f"transproc.controller.requests.{name}" for name in ("base", "move")}
    assert {name for name in found if name.startswith(others)} == expected
    assert not {"asyncio", "cryptography", "elftools", "pydantic", "rich"} & {*found}

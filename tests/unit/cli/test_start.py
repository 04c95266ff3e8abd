# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line starts at once: what it imports before a command needs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from transproc.cli.commands import COMMANDS

ROOT = Path(__file__).parent.parent.parent.parent
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


@pytest.mark.parametrize(
    ("words", "source", "status", "printed"),
    [
        (["--version"], "", 0, "transproc "),
        (["migrate", "--help"], "", 0, "Usage"),
        ([], "source_bash", 0, "complete "),
        (["ps", "--nonsense"], "", 2, ""),
        (["migrate", "nobody", "--to", "there"], "", 1, ""),
    ],
)
def test_a_command_ends_with_its_status(
    words: list[str], source: str, status: int, printed: str, tmp_path: Path
) -> None:
    """By itself, not by what an interpreter does at its end; all that it has printed is there."""
    environment = {"TRANSPROC_STATE": str(tmp_path / "state"), "HOME": str(tmp_path)}
    environment |= {"_TRANSPROC_COMPLETE": source} if source else {}
    code = "import sys; from transproc.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == status, done.stderr
    assert printed in done.stdout and "Traceback" not in done.stderr
    assert bool(done.stderr) == bool(status)


def test_a_fault_in_a_command_shows_in_its_status() -> None:
    code = "from transproc.cli import main; main.run = lambda argv: 1 // 0; main.main([])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr


def test_what_a_command_has_begun_ends_before_it() -> None:
    code = """
import atexit, threading, time
from transproc.cli import main

def late() -> None:
    time.sleep(0.2)
    print("thread")

def begin(argv: list[str]) -> int:
    atexit.register(print, "put in order")
    threading.Thread(target=late).start()
    return 3

main.run = begin
main.main([])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "thread\nput in order\n")


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_interrupted_while_it_starts_says_so(
    number: signal.Signals, tmp_path: Path
) -> None:
    """On a busy machine that takes seconds; the user saw the insides of Python."""
    (tmp_path / "typer.py").write_text(f"import os, time\nos.kill(os.getpid(), {number:d})\ntime.sleep(60)\n")
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a job in the background ignores it
    code = f"{listen}; from transproc.cli.main import main; main(['ps'])"
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "TRANSPROC_STATE": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "transproc: error: interrupted\n")

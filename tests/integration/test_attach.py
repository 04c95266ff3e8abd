# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc run --tty` and `transproc attach`, used as a person does: at a terminal, on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seat import BIN, Seat
from transproc.run import run

pytestmark = pytest.mark.toolchain

SOURCE = Path(__file__).parents[1] / "lab" / "dialogue.c"


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("program") / "dialogue"
    run([BIN / "transproc-cc", "-O2", "-o", program, SOURCE])
    return program


@pytest.fixture
def name() -> Iterator[str]:
    name = f"talk{os.getpid()}"
    yield name
    run([BIN / "transproc", "kill", "--remove", name], check=False)


def test_a_person_at_the_terminal(dialogue: Path, name: str) -> None:
    first = Seat("run", "--tty", "--wait", "--name", name, "--", str(dialogue))
    first.sees("parent [ready] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    first.types("one\r", sees="one\r\nparent [one] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    first.types("\x03two\r", sees="^Ctwo\r\nparent [two] 30x100 echo 1 front 1 leader 0 interrupts 1\r\n")
    first.types("\x1d", sees=f"{name} goes on")
    assert first.status() == 0
    second = Seat("attach", "--all", name, rows=25, columns=90)
    second.sees("interrupts 1\r\n")
    assert second.shown.count("ready") == 1
    second.types("three\r", sees="parent [three] 25x90 echo 1 front 1 leader 0 interrupts 1\r\n")
    second.resize(24, 80)
    time.sleep(1)
    second.types("four\r", sees="parent [four] 24x80 echo 1 front 1 leader 0 interrupts 1\r\n")
    second.types("end\r", sees="end, resized\r\n")
    assert second.status() == 7


def test_one_can_leave_a_job_that_is_paused(dialogue: Path, name: str) -> None:
    run([BIN / "transproc", "run", "--tty", "--name", name, "--", dialogue])
    run([BIN / "transproc", "pause", name])
    seat = Seat("attach", name)
    seat.sees("\n")
    time.sleep(3)  # it shows nothing when it has connected
    seat.types("x\x1d", sees=f"{name} goes on")
    assert seat.status() == 0
    run([BIN / "transproc", "resume", name])


def test_what_is_piped_in_arrives(dialogue: Path, name: str) -> None:
    run([BIN / "transproc", "run", "--tty", "--name", name, "--", dialogue])
    run([BIN / "transproc", "attach", name], stdin=b"one\ntwo\nend\n")
    run([BIN / "transproc", "wait", name], check=False)
    printed = run([BIN / "transproc", "logs", name]).stdout.decode()
    assert "[one]" in printed
    assert printed.endswith("end, never resized\r\n")


def test_a_job_without_a_terminal_is_no_partner(dialogue: Path, name: str) -> None:
    run([BIN / "transproc", "run", "--name", name, "--", dialogue])
    done = run([BIN / "transproc", "attach", name], check=False)
    assert done.returncode == 1
    assert b"has no terminal" in done.stderr
    assert b"hint: start it with 'transproc run --tty'" in done.stderr

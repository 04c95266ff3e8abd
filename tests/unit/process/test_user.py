# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program of another user's: its rights, its streams, its way to its files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.unit.process.conftest import Running
from transproc.process.launch import Launch, Terminal, User
from transproc.process.tool import Tool
from transproc.run import run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

NOBODY = User(65534, 65533, (65532, 4))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Below directories that others can pass through."""
    for parent in [tmp_path, *tmp_path.parents[:-2]]:
        parent.chmod(parent.stat().st_mode | 0o111)
    state = tmp_path / "state"
    (state / "work").mkdir(parents=True)
    state.chmod(0o700)
    os.chown(state / "work", NOBODY.uid, NOBODY.gid)
    return state


def test_who_it_is_and_what_it_can_do(tool: Tool, state: Path) -> None:
    script = "id -u; id -g; id -G; grep CapEff /proc/self/status; echo err >/dev/stderr; touch own; touch ../own || echo no"
    streams = {"stdout": str(state / "out"), "stderr": str(state / "err")}
    launch = Launch(["/bin/sh", "-c", script], str(state), str(state / "work"), streams, user=NOBODY)
    assert Running(tool.start(launch), state).end() == "status 0"
    lines = (state / "out").read_text().split("\n")
    assert lines[:2] == ["65534", "65533"]
    assert sorted(lines[2].split()) == ["4", "65532", "65533"]
    assert lines[3].split() == ["CapEff:", "0000000000000000"]
    assert lines[4] == "no"
    assert (state / "err").read_text().startswith("err")
    assert (state / "work" / "own").stat().st_uid == NOBODY.uid
    assert (state / "out").stat().st_uid == NOBODY.uid
    assert stat.S_IMODE(state.stat().st_mode) == 0o710
    assert (state.stat().st_uid, state.stat().st_gid) == (0, NOBODY.gid)
    assert (state / "exit").stat().st_uid == 0


def test_its_terminal_is_its_own(tool: Tool, state: Path) -> None:
    launch = Launch(
        ["/bin/sh", "-c", "echo opened >$(tty)"],
        str(state),
        terminal=Terminal(str(state / "log")),
        user=NOBODY,
    )
    assert Running(tool.start(launch), state).end() == "status 0"
    assert (state / "log").read_bytes() == b"opened\r\n"


def test_a_program_that_its_user_may_not_execute(tool_path: Path, state: Path) -> None:
    program = state / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    done = run([tool_path, "run", *Launch([str(program)], str(state), user=NOBODY).words()], check=False)
    assert json.loads(done.stdout)["message"] == "the program cannot be executed: errno 13"


@pytest.mark.parametrize(
    "words",
    [
        ["--uid", "1"],
        ["--gid", "1"],
        ["--uid", "1", "--gid", "1", "--groups", "1,x"],
        ["--uid", "4294967295", "--gid", "1"],
    ],
)
def test_what_is_no_user(tool_path: Path, state: Path, words: list[str]) -> None:
    assert run([tool_path, "run", "--state", state, *words, "--", "/bin/true"], check=False).returncode == 2

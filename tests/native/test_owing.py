# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller's migrations, and a plan's, when the processes are killed that hold the pages which a program has not got."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes
from tests.native.performing import context_of
from tests.native.processes import borrowers
from tests.native.served import COMMAND, SECONDS, Served
from tests.native.test_follow import MEGABYTES, NAME, PAUSE, program, undisturbed
from transproc.cluster import operations
from transproc.cluster.job import State
from transproc.cluster.operations import Context

__all__ = ["program", "undisturbed"]

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

LAZY = ("migrate", NAME, "--to", "nb", "--lazy", "--bandwidth", "16M")
LARGE = 100
"""Megabytes that go by themselves as large memory goes: ahead of the program, and what changes meanwhile follows it."""
PLAN = f"""
[nodes]
b = "nb"
[jobs.{NAME}]
[sequence]
main = [{{ migrate = "{NAME}", to = "b" }}]
"""


def _begun(served: Served, program: Path, megabytes: int) -> None:
    served("run", "--node", "na", "--name", NAME, "--", program, str(megabytes), str(PAUSE))
    while "filled" not in served("logs", NAME).stdout:
        time.sleep(0.05)


def _command(served: Served, *words: str | Path) -> subprocess.Popen[str]:
    line = [str(COMMAND), "--controller", "c", *map(str, words)]
    return subprocess.Popen(line, env=served.user, stderr=subprocess.PIPE, text=True)


def _owing(served: Served, command: subprocess.Popen[str]) -> None:
    context = _context(served)
    while context.store.load(NAME).state is not State.OWING:
        assert command.poll() is None, command.communicate()
        time.sleep(0.005)


def _context(served: Served) -> Context:
    """The controller's own records."""
    return context_of(Path(served.environment["TRANSPROC_STATE"]), served.nodes)


def _strike(pids: list[int]) -> None:
    for number in (signal.SIGSTOP, signal.SIGKILL):  # not one after the other
        for pid in pids:
            os.kill(pid, number)


def _ends_right(served: Served, undisturbed: str) -> None:
    place = f"/var/lib/transproc/jobs/{NAME}/data/work"
    served.nodes["nb"].put_bytes(b"", f"{place}/go")
    assert served("wait", NAME).returncode == 0
    assert served("logs", NAME).stdout == undisturbed
    served("kill", "--remove", NAME)


@pytest.mark.parametrize(
    "number", [pytest.param(0, id="who watches", marks=pytest.mark.nightly), pytest.param(1, id="who works")]
)
def test_a_controllers_program_goes_on_with_one_of_both(
    served: Served, machines: NativeNodes, program: Path, undisturbed: str, number: int
) -> None:
    _begun(served, program, MEGABYTES)
    with _command(served, *LAZY) as command:
        _owing(served, command)
        _strike([borrowers(machines, "nb")[number]])
        _, errors = command.communicate(timeout=SECONDS)
    assert command.returncode == 0, errors
    _ends_right(served, undisturbed)


def test_a_controller_says_that_a_program_has_ended_with_both(
    served: Served, machines: NativeNodes, program: Path, undisturbed: str
) -> None:
    """It does not come again, and what it has printed is right."""
    _begun(served, program, MEGABYTES)
    with _command(served, *LAZY) as command:
        _owing(served, command)
        _strike(borrowers(machines, "nb"))
        _, errors = command.communicate(timeout=SECONDS)
    assert command.returncode == 1 and f"{NAME} has ended on nb (signal 9)" in errors, errors
    (listed,) = served.json("ps")
    assert (listed["state"], listed["exit"]) == ("exited (signal 9)", "signal 9")
    assert undisturbed.startswith(served("logs", NAME).stdout)
    context = _context(served)
    assert not [
        pid for node in ("na", "nb") for pid in context.places(context.store.load(NAME), node).found()
    ]
    served("kill", "--remove", NAME)
    assert operations.sweep(context) == []


@pytest.mark.nightly
def test_a_plan_whose_program_both_hold(
    served: Served, machines: NativeNodes, program: Path, tmp_path: Path
) -> None:
    """Struck before it goes on there, it goes on where it was, and the plan is resumed; later it ends. The plan says which."""
    _begun(served, program, LARGE)
    plan = tmp_path / "tour.toml"
    plan.write_text(PLAN)
    with _command(served, "plan", "run", plan) as command:
        while len(found := borrowers(machines, "nb")) < 2:
            assert command.poll() is None, command.communicate()
            time.sleep(0.002)
        _strike(found)
        _, errors = command.communicate(timeout=SECONDS)
    assert command.returncode == 1, errors
    if f"{NAME} has ended on nb (signal 9)" in errors:
        assert served.json("ps")[0]["exit"] == "signal 9"
    else:
        assert f"{NAME} runs on na again" in errors and "'transproc plan resume 1' goes on" in errors, errors
        assert served("plan", "resume", "1").stdout == f"{NAME} runs on nb\n"
    served("kill", "--remove", NAME)
    assert operations.sweep(_context(served)) == []

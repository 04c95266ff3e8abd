# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans are carried out between two real machines of this ISA."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.native.nodes import NativeNodes
from transproc.automation.plans import planning, records
from transproc.automation.plans.executor import Outcome
from transproc.automation.plans.records import Result
from transproc.cluster import operations
from transproc.cluster.events import Cancel, Silent, Token
from transproc.cluster.job import State
from transproc.cluster.operations import Context
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.host import Host
from transproc.run import output

pytestmark = [pytest.mark.native, pytest.mark.toolchain]
MAP = {"x86-64": "na", "aarch64": "nb"}
WORDS = ["400", "2000", "1"]


class World:
    """A host of its own, and a directory with a program."""

    def __init__(self, root: Path, program: Path) -> None:
        self.host = Host(JobStore(root / "state"))
        self.directory = root / "plan"
        self.directory.mkdir()
        for path in program.parent.glob("counter*"):
            shutil.copy2(path, self.directory)
        self.program = program

    def context(self, cancel: Cancel | None = None, events: Silent | None = None) -> Context:
        return self.host.context(events or Silent(), cancel or Token())

    def write(self, instructions: dict[str, Any], sequence: list[str], freq: int = 1) -> Path:
        path = self.directory / "config.json"
        execution = [{"freq": freq, "sequence": sequence}]
        path.write_text(json.dumps({"bin": "counter", "instructions": instructions, "execution": execution}))
        return path

    def run(self, path: Path, cancel: Cancel | None = None, events: Silent | None = None) -> Outcome:
        checked = planning.examine(path, self.host, MAP)
        return planning.carry_out(checked, self.host, self.context(cancel, events))[1]

    def steps(self) -> list[tuple[str, str | None]]:
        plan = records.plans(self.host.store)[0]
        return [(step.verb, step.result) for step in records.steps(self.host.store, plan.number)]

    def close(self) -> None:
        for name in self.host.store.names():
            operations.kill(self.context(), name, remove=True)
        self.host.close()


@pytest.fixture
def world(
    machines: NativeNodes, counter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setenv("TRANSPROC_NODES", str(machines.configuration))
    made = World(tmp_path, counter)
    yield made
    made.close()


SEED = {
    "1": {"type": "run", "command": "pwd; echo to-the-log", "host": "aarch64"},
    "2": {"type": "run_and_infect", "addr": "usleep", "host": "x86-64"},
    "3": {"type": "dump", "host": "x86-64"},
    "4": {"type": "transform", "host": "x86-64", "target": "aarch64"},
    "5": {"type": "restore", "host": "aarch64"},
    "6": {"type": "restore_and_infect", "addr": "usleep", "host": "aarch64"},
    "7": {"type": "copy_to_target", "host": "x86-64", "target": "aarch64"},
}


def test_the_first_implementations_instructions(world: World) -> None:
    outcome = world.run(world.write(SEED, ["2", "3", "4", "7", "6", "1"]))
    assert (outcome.result, outcome.error) == (Result.DONE, None)
    job = world.host.store.load("counter")
    assert (job.state, job.node, job.moves) == (State.PAUSED, "nb", 1)
    assert [verb for verb, _ in world.steps()] == ["run", "dump", "transform", "ship", "restore", "command"]
    assert {result for _, result in world.steps()} == {"done"}
    details = {step.verb: step.detail for step in records.steps(world.host.store, 1)}
    assert details["command"] == "/var/lib/transproc/jobs/counter/data/work\nto-the-log"
    operations.resume(world.context(), "counter")
    ended = wait(world.host.store, "counter", world.host.place, 30)
    assert world.host.place(ended).read("stdout").decode() == output([f"{world.program}.x86_64"])

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans are carried out between two real machines of this ISA."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.native.nodes import NativeNodes
from transproc.automation.plans import planning, records, recover, replay, resume
from transproc.automation.plans.executor import Outcome
from transproc.automation.plans.model import steps_of
from transproc.automation.plans.reading import PlanError
from transproc.automation.plans.records import Result
from transproc.cluster import operations
from transproc.cluster.events import Cancel, Silent, Token
from transproc.cluster.job import Job, State
from transproc.cluster.operations import Context
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.errors import TransprocError
from transproc.host import Host
from transproc.log import Step
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
        checked = planning.examine(path, self.host, MAP if path.suffix == ".json" else {})
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


TOML = """
[nodes]
x86 = "na"
arm = { node = "nb" }
[jobs.one]
program = "counter"
arguments = ["20000", "5000"]
[jobs.two]
program = "counter"
arguments = ["400", "2000", "1"]
"""


def toml(world: World, sequences: str) -> Path:
    path = world.directory / "tour.toml"
    path.write_text(TOML + sequences)
    return path


def test_branches_conditions_and_rounds(world: World) -> None:
    path = toml(
        world,
        """
        [steps]
        there = { migrate = "one", to = "arm", when = ["one prints 20", "load of arm below 1000"] }
        idle = { command = "false", on = "arm", when = "load of x86 above 1000", within = 0.1, otherwise = "skip" }
        [[sequence.main]]
        together = [["first"], ["second"]]
        [[sequence.first]]
        run = "one"
        on = "x86"
        [[sequence.first]]
        do = ["there", { migrate = "one", to = "x86", when = "one enters usleep" }, "idle"]
        repeat = 2
        [[sequence.first]]
        kill = "one"
        when = "two has ended"
        [[sequence.second]]
        run = "two"
        on = "arm"
        [[sequence.second]]
        do = [{ migrate = "two", to = "x86" }, { migrate = "two", to = "arm" }]
        until = "two has ended"
        """,
    )
    earlier = Job(
        "two", "na", ["counter"], state=State.EXITED, exit="status 0"
    )  # must not count as this plan's
    world.host.store.create(earlier)
    outcome = world.run(path)
    assert (outcome.result, outcome.error) == (Result.DONE, None)
    job = world.host.store.load("two")
    assert job.exit == "status 0"
    assert world.host.place(job).read("stdout").decode() == output([f"{world.program}.x86_64", *WORDS])
    results = Counter(
        (step.title, step.result) for step in records.steps(world.host.store, 1) if step.job != "two"
    )
    assert results == {
        ("run one on x86", "done"): 1,
        ("migrate one to arm", "done"): 2,
        ("migrate one to x86", "done"): 2,
        ("on arm: false", "skipped"): 2,
        ("kill one", "done"): 1,
    }


def test_labels_are_looked_up_at_each_instruction(
    world: World, machines: NativeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner gives the label to another node while the plan waits."""
    lists = tmp_path / "nodes.toml"
    text = machines.configuration.read_text()
    head = {name: f"[{name}]\n" for name in ("na", "nb")}
    assert all(word in text for word in head.values())
    lists.write_text(text.replace(head["na"], f'{head["na"]}labels = ["good"]\n'))
    monkeypatch.setenv("TRANSPROC_NODES", str(lists))
    (world.directory / "tour.toml").write_text(
        '[nodes]\ngood = { label = "good" }\n[jobs.one]\nprogram = "counter"\narguments = ["20000", "5000"]\n'
        '[sequence]\nmain = [{ run = "one", on = "good" }, { migrate = "one", to = "good", when = "one prints 40" }]'
    )

    class Relabel(Silent):
        @contextmanager
        def step(self, name: str) -> Iterator[Step]:
            with super().step(name) as step:
                if name.startswith("2 "):
                    lists.write_text(text.replace(head["nb"], f'{head["nb"]}labels = ["good"]\n'))
                yield step

    outcome = world.run(world.directory / "tour.toml", events=Relabel())
    assert (outcome.result, outcome.jobs) == (Result.DONE, {"one": "one runs on nb"}), outcome


def test_what_was_done_is_done_once_more(world: World) -> None:
    """At the same times, and without the condition."""
    path = toml(
        world,
        '[sequence]\nmain = [{ run = "one", on = "x86" }, { migrate = "one", to = "arm", when = "one prints 40" },'
        '{ command = "true", on = "arm" }, { kill = "one" }]',
    )
    assert world.run(path).result is Result.DONE
    (record,) = records.plans(world.host.store)
    before = records.steps(world.host.store, record.number)
    path.unlink()
    plan = replay.plan_of(record, before)
    assert not any(step.gate.when for step in steps_of(plan.main))
    checked = planning.checked(plan, [], world.host, record.nodes)
    number, outcome = planning.carry_out(checked, world.host, world.context())
    assert (outcome.result, outcome.error) == (Result.DONE, None)
    again = records.steps(world.host.store, number)
    assert sorted(step.verb for step in again) == sorted(step.verb for step in before)
    # a step is recorded before what it waits for, so its end tells when that had come
    (latest, *_) = records.plans(world.host.store)
    migrated = {step.verb: step.ended or 0.0 for step in again}["migrate"] - latest.started
    assert migrated >= {step.verb: step.started for step in before}["migrate"] - record.started


class After(Silent):
    """Calls a plan off while a step is under way."""

    def __init__(self, name: str, token: Token) -> None:
        self._name = name
        self._token = token

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        with super().step(name) as step:
            if name == self._name:
                self._token.cancel()
            yield step


@pytest.mark.parametrize(("moment", "node"), [("dump", "na"), ("ship", "na"), ("restore", "nb")])
def test_called_off_between_steps(world: World, moment: str, node: str) -> None:
    """The step under way comes to its end, no other one begins, and one copy runs."""
    path = toml(
        world,
        '[sequence]\nmain = [{ run = "one", on = "x86", at = "usleep" }, { dump = "one" }, { transform = "one", to = "arm" },'
        '{ ship = "one", to = "arm" }, { restore = "one", to = "arm", stopped = true }, { resume = "one" }, { kill = "one" }]',
    )
    token = Token()
    outcome = world.run(path, token, After(moment, token))
    job = world.host.store.load("one")
    assert (outcome.result, outcome.jobs) == (Result.INTERRUPTED, {"one": f"one runs on {node}"})
    assert (job.state, job.node) == (State.RUNNING, node)
    assert len([pid for name in ("na", "nb") for pid in world.host.place(job, name).found()]) == 1
    assert [result for _, result in world.steps()] == ["done"] * len(world.steps())
    assert world.steps()[-1][0] == moment
    assert records.plans(world.host.store)[0].result == "interrupted"


def test_a_step_fails(world: World) -> None:
    """The other branch ends after its step; what was stopped goes on; a second run takes another name for the job that lives."""
    path = toml(
        world,
        '[sequence]\nmain = [{ run = "one", on = "x86", at = "usleep" },'
        '{ together = [[{ command = "exit 3", on = "arm" }], [{ command = "true", on = "x86", after = "1h" }]] }]',
    )
    outcome = world.run(path)
    assert outcome.error is not None and outcome.error.message == "exit 3: status 3: "
    assert outcome.jobs == {"one": "one runs on na"}
    assert world.steps() == [("run", "done"), ("command", "failed"), ("command", "interrupted")]
    assert world.run(path).jobs == {"one-2": "one-2 runs on na"}


TOUR = """
[sequence]
main = [
  { run = "one", on = "x86", at = "usleep" },
  { dump = "one" },
  { transform = "one", to = "arm" },
  { ship = "one", to = "arm" },
  { restore = "one", to = "arm", stopped = true },
  { resume = "one" },
  { command = "echo once >> asked", on = "arm", job = "one" },
  { do = [{ migrate = "one", to = "x86", when = "one prints 20" }, { migrate = "one", to = "arm" }], repeat = 2 },
  { checkpoint = "one" },
  { kill = "one", when = "load of x86 below 1000" },
]
"""
VERBS = ("run", "dump", "transform", "ship", "restore", "resume", "command", "migrate", "checkpoint", "kill")
MOMENTS = [(verb, moment) for verb in VERBS for moment in ("begun", "done", "settled")]
USUAL = [("dump", "settled"), ("restore", "done"), ("migrate", "begun")]


@pytest.mark.parametrize("recovered", [False, True], ids=["killed", "recovered"])
@pytest.mark.parametrize(
    ("verb", "moment"),
    [
        pytest.param(*words, id="-".join(words), marks=[] if words in USUAL else pytest.mark.nightly)
        for words in MOMENTS
    ],
)
def test_a_killed_plan_is_resumed(world: World, verb: str, moment: str, *, recovered: bool) -> None:
    """It comes to its end, each step that was settled was done once; also after `recover` has let its job go."""
    path = toml(world, TOUR)
    words = [sys.executable, "-m", "tests.native.doomed_plan", verb, moment, "plan", "run", str(path)]
    environment = {**os.environ, "TRANSPROC_STATE": str(world.host.store.directory)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (record,) = records.plans(world.host.store)
    before = [step for step in records.steps(world.host.store, record.number) if step.result == Result.DONE]
    if recovered:
        recover.recover(world.context(), record)
    checked = resume.prepared(record, world.host, {})
    outcome = resume.resume(record, checked, world.host, world.context())
    assert (outcome.result, outcome.error) == (Result.DONE, None), outcome
    assert outcome.jobs["one"].startswith("one has ended on nb (signal 9)")
    (record,) = records.plans(world.host.store)
    steps = records.steps(world.host.store, record.number)
    assert record.result == Result.DONE and sum(step.result == Result.RESUMED for step in steps) == 1
    again = [step.verb for step in steps[len(before) :] if step.place in {step.place for step in before}]
    assert set(again) <= ({"dump", "transform", "ship"} if recovered else set())
    assert [name for name in world.host.store.names() if name != "one"] == []
    job = world.host.store.load("one")
    asked = world.host.node("nb").get_bytes(f"{world.host.place(job).directory}/data/work/asked").decode()
    assert asked in (("once\n", "once\nonce\n") if verb == "command" else ("once\n",))


def test_a_plan_that_was_called_off_goes_on(world: World) -> None:
    path = toml(world, TOUR)
    token = Token()
    assert world.run(path, token, After("3 transform one for arm", token)).result is Result.INTERRUPTED
    (record,) = records.plans(world.host.store)
    checked = resume.prepared(record, world.host, {})
    assert resume.resume(record, checked, world.host, world.context()).result is Result.DONE
    with pytest.raises(TransprocError, match="has come to its end"):
        resume.resume(record, checked, world.host, world.context())


def test_everything_that_is_wrong_is_said_at_once(world: World) -> None:
    path = toml(
        world,
        '[sequence]\nmain = [{ run = "one", on = "x86", at = "nothing" },\n{ dump = "one" },\n'
        '{ restore = "one", to = "pluto", at = "0x1000001" }]\n[jobs.three]\nprogram = "missing"',
    )
    checked = planning.examine(path, world.host, {"x87": "na"})
    found = [str(problem) for problem in checked.problems]
    assert found[0].startswith("line 1: --map x87: the plan names no such node")
    assert [text.partition(" (")[0] for text in found[1:4]] == [
        "line 12: counter: no function nothing",
        "line 14: 0x1000001: no equivalence point of counter",
        "line 14: there is no node pluto",
    ]
    assert "line 15: " in found[4] and "missing: no such file" in found[4]
    with pytest.raises(PlanError, match="5 things are wrong"):
        planning.carry_out(checked, world.host, world.context())
    assert records.plans(world.host.store) == []


def test_ctrl_c_at_the_terminal(world: World, machines: NativeNodes, tmp_path: Path) -> None:
    """The command ends after the step under way, says so, and leaves the job running; what it did is in the log."""
    path = toml(
        world,
        '[sequence]\nmain = [{ run = "one", on = "x86", at = "usleep" }, { dump = "one" },'
        '{ kill = "one", when = "load of x86 above 9999" }]',
    )
    environment = {**os.environ, "TRANSPROC_STATE": str(world.host.store.directory)}
    command = [Path(sys.executable).with_name("transproc"), "plan", "run", path]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        while len(world.steps() if records.plans(world.host.store) else []) < 3:
            assert time.monotonic() < until and process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == "one runs on na\n"
    assert "interrupted: the plan ends after this step" in err
    assert world.host.store.load("one").state is State.RUNNING
    assert world.steps() == [("run", "done"), ("dump", "done"), ("kill", "interrupted")]

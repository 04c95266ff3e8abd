# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The transaction: for each step that can fail, where the process is afterwards, and what the error says."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.cluster.fakes import PID, FakeNode
from tests.writers.program import program
from transproc import log
from transproc.binary.pair import PairStore
from transproc.cluster import restored
from transproc.cluster.events import Signals, Silent
from transproc.cluster.history import Reader
from transproc.cluster.job import Job, State
from transproc.cluster.migration import Migration
from transproc.cluster.move import Move
from transproc.cluster.place import Place
from transproc.cluster.store import JobStore
from transproc.errors import (
    CommandError,
    MigrationError,
    NodeError,
    PauseError,
    TransprocError,
    UnsupportedError,
)


@dataclass
class Report:
    threads: int = 1
    frames: int = 3
    values: int = 7


def transform(source: Path, target: Path, *, pairs: PairStore, to: str) -> Report:
    """Stands in for the transformer, which has tests of its own."""
    assert (source / "core.img").exists()
    target.mkdir()
    (target / "core.img").write_bytes(b"image of " + to.encode())
    (target / "parent").symlink_to("../dump")
    return Report()


class World:
    """A job that runs on x86, with an output file, and an empty node arm."""

    def __init__(self, root: Path) -> None:
        self.store = JobStore(root / "jobs")
        self.x86 = FakeNode("x86", "x86_64", root / "x86")
        self.arm = FakeNode("arm", "aarch64", root / "arm")
        self.job = Job("j", "x86", ["prog", "10"], pid=PID)
        self.store.create(self.job)
        for isa in ("x86_64", "aarch64"):
            path = self.store.pair("j") / f"prog.{isa}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(program(isa))
        self.source.prepare(self.store.pair("j") / "prog.x86_64")
        (self.x86.root / "jobs/j/data/stdout").write_text("line 1\n")
        self.x86.processes[PID] = "running"
        self.job.state = State.RUNNING
        self.store.save(self.job)
        self.x86.calls.clear()

    @property
    def source(self) -> Place:
        return Place(self.x86, self.job)

    @property
    def target(self) -> Place:
        return Place(self.arm, self.job)

    def migration(self, **options: object) -> Migration:
        return Migration(
            self.store,
            self.job,
            self.source,
            self.target,
            **{"transform": transform, "cancel": Signals(Silent()), **options},
        )  # type: ignore[arg-type]

    def fails(self, **options: object) -> MigrationError:
        with pytest.raises(MigrationError) as caught:
            self.migration(**options).run()
        assert self.store.load("j") == self.job
        return caught.value

    def runs_only_on(self, node: FakeNode | None) -> bool:
        running = [n for n in (self.x86, self.arm) if n.processes.get(PID) == "running"]
        return running == ([node] if node else [])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(log, "quiet", True)
    return World(tmp_path)


def test_success(world: World) -> None:
    hop = world.migration().run()
    assert world.runs_only_on(world.arm)
    assert world.x86.processes == {}
    assert not (world.x86.root / "jobs/j").exists()
    there = world.arm.root / "jobs/j"
    assert (there / "bin/prog").read_bytes() == program("aarch64")
    assert (there / "data/stdout").read_text() == "line 1\n"
    assert (hop.source, hop.target) == ("x86", "arm")
    assert list(hop.steps) == [
        "preflight", "prepare", "pause", "dump", "fetch", "transform", "ship", "restore", "verify", "resume", "retire",
    ]  # fmt: skip
    assert 0 < hop.downtime < 60
    assert hop.bytes_sent > 0
    job = world.store.load("j")
    assert (job.state, job.node, job.target, job.leftovers) == (State.RUNNING, "arm", None, [])
    assert job.history == [hop]


def test_source_is_killed_only_after_target_runs(world: World) -> None:
    order: list[str] = []
    for node in (world.x86, world.arm):
        enter = node._enter
        node._enter = lambda op, enter=enter, name=node.name: (order.append(f"{name} {op}"), enter(op))[1]  # type: ignore[method-assign, assignment, misc]
    world.migration().run()
    assert order.index("arm resume") < order.index("x86 kill")
    assert (
        order.index("x86 pause")
        < order.index("x86 dump")
        < order.index("arm restore")
        < order.index("arm resume")
    )
    assert "x86 resume" not in order


def test_what_the_downtime_needs_is_there_before(world: World) -> None:
    world.x86.failing["pause"] = CommandError(["transproc-stop"], 1, "")
    world.fails()
    for node in (world.x86, world.arm):
        assert "spare" in node.calls  # connections for the images and files
        assert node.calls.count("version") == 2  # criu's and tar's


def test_there_and_back(world: World) -> None:
    world.migration().run()
    back = Migration(world.store, world.job, world.target, world.source, transform=transform)
    back.run()
    assert world.runs_only_on(world.x86)
    assert (world.x86.root / "jobs/j/data/stdout").read_text() == "line 1\n"
    assert [hop.target for hop in world.job.history] == ["arm", "x86"]


BOOM = TransprocError("it broke", hint="mend it")


@pytest.mark.parametrize("operation", ["look", "version"])
def test_preflight_fails(world: World, operation: str) -> None:
    world.x86.failing[operation] = BOOM
    error = world.fails()
    assert str(error) == "preflight: it broke; j was not touched: it runs on x86"
    assert error.hint == "mend it"
    assert world.runs_only_on(world.x86)
    assert "claim" not in world.arm.calls
    assert "pause" not in world.x86.calls


def test_the_cause_is_recorded_beside_the_step(world: World) -> None:
    """Once only what became of the process could be told later, not why."""
    world.arm.failing["restore"] = BOOM
    world.fails()
    (attempt,) = Reader(world.store.path).attempts("j")
    assert (attempt.result, attempt.outcome) == ("undone", "j runs on x86 again")
    last = attempt.steps[-1]
    assert (last.name, last.seconds, last.detail) == ("restore", None, "it broke")
    assert all(step.seconds is not None for step in attempt.steps[:-1])


def test_target_does_not_answer(world: World) -> None:
    world.arm.lost_at = ""
    error = world.fails()
    assert str(error) == "preflight: node arm: does not answer; j was not touched: it runs on x86"
    assert "pause" not in world.x86.calls


def test_old_criu(world: World) -> None:
    world.arm.criu = "3.17.1"
    error = world.fails()
    assert error.message.startswith(
        "preflight: node arm: criu is 3.17.1, expected 4.1.1 or later; j was not touched"
    )
    assert error.exit_status == 3


def test_ids_in_use(world: World) -> None:
    world.arm.processes[PID] = "running"
    error = world.fails()
    assert str(error) == "preflight: node arm: process ids in use: 4711; j was not touched: it runs on x86"
    assert world.arm.processes == {PID: "running"}


def test_ids_that_the_target_does_not_give(world: World) -> None:
    world.arm.ids = PID
    error = world.fails()
    assert str(error) == (
        "preflight: node arm: gives process ids below 4711, but the program has 4711; j was not touched: it runs on x86"
    )
    assert "kernel.pid_max" in (error.hint or "")


def test_no_binary_for_the_target(world: World) -> None:
    (world.store.pair("j") / "prog.aarch64").unlink()
    assert str(world.fails()) == "preflight: job j: no binary for aarch64; j was not touched: it runs on x86"


@pytest.mark.parametrize("operation", ["claim", "put_prog"])
def test_prepare_fails(world: World, operation: str) -> None:
    world.arm.failing[operation] = BOOM
    assert str(world.fails()) == "prepare: it broke; j was not touched: it runs on x86"
    assert not (world.arm.root / "jobs/j").exists()
    assert "resume" not in world.x86.calls


def test_pause_fails(world: World) -> None:
    """The pause tool has let the process go on: nothing is to be resumed."""
    world.x86.failing["pause"] = PauseError("thread 4712: reaches no site", pid=PID, tid=4712)
    assert str(world.fails()) == "pause: thread 4712: reaches no site; j was let go: it runs on x86"
    assert world.runs_only_on(world.x86)
    assert not (world.arm.root / "jobs/j").exists()


def test_the_end_is_recorded_a_moment_late(world: World) -> None:
    """On a busy node the pause tool can know of the end before the supervisor has written it down."""
    world.x86.failing["pause"] = PauseError("process 4711: has ended", pid=PID, ended=True)
    later = threading.Timer(0.3, (world.x86.root / "jobs/j/exit").write_text, ["status 0\n"])
    later.start()
    assert str(world.fails()) == "pause: process 4711: has ended; j has ended on x86 (status 0)"
    later.join()


def test_program_ends_before_the_pause(world: World) -> None:
    (world.x86.root / "jobs/j/exit").write_text("status 3\n")
    world.x86.failing["pause"] = PauseError("process 4711: is gone", pid=PID)
    assert str(world.fails()) == "pause: process 4711: is gone; j has ended on x86 (status 3)"
    assert (world.job.state, world.job.exit) == (State.EXITED, "status 3")
    assert not (world.arm.root / "jobs/j").exists()


STEPS = [
    ("x86", "dump", "dump"),
    ("x86", "get_dump", "fetch"),
    ("x86", "get_data", "ship"),
    ("arm", "put_data", "ship"),
    ("arm", "put_dump", "fetch"),
    ("arm", "put_image", "ship"),
    ("arm", "restore", "restore"),
]


@pytest.mark.parametrize(("node", "operation", "phase"), STEPS)
def test_source_goes_on_after_failure(world: World, node: str, operation: str, phase: str) -> None:
    getattr(world, node).failing[operation] = CommandError(["criu"], 1, "Error: no")
    error = world.fails()
    assert str(error).endswith("; j runs on x86 again")
    assert error.message == f"{error}\n  Error: no"
    assert world.runs_only_on(world.x86)
    assert world.arm.processes == {}
    assert not (world.arm.root / "jobs/j").exists()
    assert (world.job.state, world.job.node, world.job.target) == (State.RUNNING, "x86", None)
    assert (world.x86.root / "jobs/j/data/stdout").read_text() == "line 1\n"


@pytest.mark.parametrize(("node", "operation", "phase"), STEPS)
def test_it_can_be_tried_again(world: World, node: str, operation: str, phase: str) -> None:
    getattr(world, node).failing[operation] = BOOM
    assert str(world.fails()).startswith(f"{phase}: it broke")
    getattr(world, node).failing.clear()
    world.migration().run()
    assert world.runs_only_on(world.arm)


def test_transform_refuses(world: World) -> None:
    def refuse(source: Path, target: Path, *, pairs: PairStore, to: str) -> Report:
        raise UnsupportedError("process 4711: has a seccomp filter")

    error = world.fails(transform=refuse)
    assert str(error) == "transform: process 4711: has a seccomp filter; j runs on x86 again"
    assert error.exit_status == 3
    assert world.runs_only_on(world.x86)


def test_interrupt(world: World) -> None:
    def interrupt(source: Path, target: Path, *, pairs: PairStore, to: str) -> Report:
        raise KeyboardInterrupt

    assert str(world.fails(transform=interrupt)) == "transform: interrupted; j runs on x86 again"
    assert world.runs_only_on(world.x86)


@pytest.fixture
def heeds_interrupts() -> Iterator[None]:
    """Also where the tests themselves run in a shell's background, which ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_interrupts")
@pytest.mark.parametrize("operation", ["dump", "get_data", "pause"])
def test_interrupt_waits_for_the_end_of_the_step(world: World, operation: str) -> None:
    """A node at work on the process is not left alone: the step ends, then everything is taken back."""
    node_step = getattr(world.x86, f"_{operation}", None)

    def interrupt(words: list[str]) -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        return node_step(words) if node_step else b""

    if node_step:
        setattr(world.x86, f"_{operation}", interrupt)
    else:
        enter = world.x86._enter
        world.x86._enter = lambda name: (interrupt([]) if name == operation else None, enter(name))[1]  # type: ignore[method-assign]
    assert str(world.fails()).endswith(": interrupted; j runs on x86 again")
    assert operation in world.x86.calls
    assert world.runs_only_on(world.x86)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_restored_process_takes_a_moment_to_stop(world: World) -> None:
    world.arm.restores_as = "stopping"
    world.migration().run()
    assert world.runs_only_on(world.arm)


@pytest.mark.parametrize("state", ["gone", "running"])
def test_restored_process_is_not_stopped(world: World, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restored, "SETTLE_SECONDS", 0.1)
    world.arm.restores_as = state
    error = world.fails()
    what = {"gone": "process is gone, expected stopped", "running": "thread 4711 is in state S, expected T"}
    assert error.message.startswith(f"verify: job j: the restored {what[state]}")
    # Whatever it does, it was not let go by us: it is no program yet.
    assert error.outcome == "j runs on x86 again"
    assert world.runs_only_on(world.x86)
    assert world.arm.processes == {}


def test_target_is_lost_during_restore(world: World) -> None:
    world.arm.lost_at = "restore"
    error = world.fails()
    assert error.outcome == "j runs on x86 again (node arm could not be cleaned: node arm: does not answer)"
    assert world.runs_only_on(world.x86)
    assert world.job.leftovers == ["arm"]


def test_target_cannot_be_cleaned(world: World) -> None:
    """A copy that has never run stays stopped: the source may go on beside it."""
    restore = world.arm._restore

    def restore_and_fail(words: list[str]) -> bytes:
        restore(words)
        raise BOOM

    world.arm._restore = restore_and_fail  # type: ignore[method-assign]
    world.arm.failing["kill"] = TransprocError("will not die")
    error = world.fails()
    assert (
        str(error) == "restore: it broke; j runs on x86 again (node arm could not be cleaned: will not die)"
    )
    assert world.arm.processes == {PID: "stopped"}
    assert world.runs_only_on(world.x86)
    assert world.job.leftovers == ["arm"]


def test_after_a_failed_commit_the_target_must_be_known_to_be_gone(world: World) -> None:
    world.arm.failing = {"resume": BOOM, "kill": TransprocError("will not die")}
    error = world.fails()
    assert error.outcome == "j stays stopped on x86: will not die; 'transproc resume j' tries again"
    assert world.runs_only_on(None)
    assert (world.job.state, world.job.target) == (State.RESTORED, "arm")


def test_leftover_is_removed_by_the_next_migration(world: World) -> None:
    world.arm.processes[PID] = "stopped"
    world.job.leftovers = ["arm"]
    world.migration().run()
    assert world.runs_only_on(world.arm)
    assert world.job.leftovers == []


def test_source_is_lost_after_the_fetch(world: World) -> None:
    world.x86.lost_at = "get_dump"
    error = world.fails()
    assert error.message.startswith("fetch: node x86: does not answer; j is on x86, which does not answer")
    assert "'transproc resume j' lets it go on" in error.outcome
    assert world.job.state is State.PAUSED
    assert world.runs_only_on(None)


def test_source_does_not_answer_when_it_is_to_be_retired(world: World) -> None:
    """The migration has succeeded; the stopped copy is remembered."""
    world.x86.lost_at = "kill"
    world.migration().run()
    assert world.runs_only_on(world.arm)
    assert world.x86.processes == {PID: "stopped"}
    assert (world.job.node, world.job.leftovers) == ("arm", ["x86"])


def test_commit_fails_and_the_target_says_so(world: World) -> None:
    world.arm.failing["resume"] = BOOM
    assert str(world.fails()) == "resume: it broke; j runs on x86 again"
    assert world.runs_only_on(world.x86)
    assert world.arm.processes == {}


def test_commit_is_uncertain(world: World) -> None:
    world.arm.lost_at = "resume"
    error = world.fails()
    assert "it may run there, so its copy on x86 stays stopped" in error.outcome
    assert world.x86.processes == {PID: "stopped"}
    assert (world.job.state, world.job.node, world.job.target) == (State.RESTORED, "x86", "arm")


def test_commit_took_place_though_its_answer_was_lost(world: World) -> None:
    resume = world.arm._resume

    def resume_and_fail(words: list[str]) -> bytes:
        resume(words)
        raise NodeError("arm", "connection lost")

    world.arm._resume = resume_and_fail  # type: ignore[method-assign]
    error = world.fails()
    assert error.outcome == "j runs on arm; its copy on x86 is gone"
    assert world.runs_only_on(world.arm)
    assert world.x86.processes == {}


def test_paused_job_stays_paused_after_failure(world: World) -> None:
    world.x86.processes[PID] = "stopped"
    world.job.state = State.PAUSED
    world.arm.failing["restore"] = BOOM
    assert str(world.fails()) == "restore: it broke; j is paused on x86, as before"
    assert "pause" not in world.x86.calls
    assert world.runs_only_on(None)


def test_stay_paused(world: World) -> None:
    world.migration(stay_paused=True).run()
    assert world.arm.processes == {PID: "stopped"}
    assert world.x86.processes == {}
    assert (world.job.state, world.job.node) == (State.PAUSED, "arm")


def test_wrong_state(world: World) -> None:
    world.job.state = State.DUMPED
    with pytest.raises(TransprocError, match="job j: is dumped, expected running or paused") as caught:
        world.migration().run()
    assert caught.value.hint == "'transproc resume j' lets it go on first"


def test_steps_one_by_one(world: World) -> None:
    """What dump, transform, restore and resume do, each from the record alone."""
    world.source.make_images()
    for step in ("pause", "dump", "fetch"):
        move = Move(world.store, world.store.load("j"), world.source, transform=transform)
        assert getattr(move, step)(*([world.migration().request] if step == "pause" else [])) is not None
    assert world.store.load("j").state is State.DUMPED
    move = Move(world.store, world.store.load("j"), world.source, world.target, transform=transform)
    move.transform("aarch64")
    for step in ("preflight", "prepare", "ship", "restore", "verify"):
        getattr(move, step)()
    assert world.store.load("j").state is State.RESTORED
    assert world.runs_only_on(None)
    move.abandon_target(never_ran=False)
    move.resume_source()
    assert world.runs_only_on(world.x86)
    assert world.arm.processes == {}

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Use cases: what they refuse, what a failure leaves, and what `recover` makes of whatever was cut off."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import pytest

from tests.unit.cluster.fakes import PID, FakeNode
from tests.unit.cluster.test_migration import BOOM, Report, transform
from tests.writers.program import program
from transproc.binary.pair import Binary, Pair
from transproc.cluster import operations, place, start
from transproc.cluster.events import Silent
from transproc.cluster.job import Job, State
from transproc.cluster.migration import Migration
from transproc.cluster.operations import Context
from transproc.cluster.place import PauseRequest, Place
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.errors import ConflictError, NodeError, PauseError, TransprocError, UnsupportedError

recover = importlib.import_module("transproc.cluster.operations.recover")
"""The package's name of that is the function."""


class World:
    """Two nodes, and a job that operations have started on x86."""

    def __init__(self, root: Path) -> None:
        self.nodes = {
            "x86": FakeNode("x86", "x86_64", root / "x86"),
            "arm": FakeNode("arm", "aarch64", root / "arm"),
        }
        self.x86, self.arm = self.nodes["x86"], self.nodes["arm"]
        self.notes: list[str] = []
        events = Silent()
        events.note = self.notes.append  # type: ignore[method-assign]
        self.store = JobStore(root / "state")
        self.context = Context(self.store, self.place, transform, events, nodes=lambda: list(self.nodes))
        self.program = Program([str(root / "prog"), "10"])

    def place(self, job: Job, name: str | None = None) -> Place:
        return Place(self.nodes[name or job.node], job)

    def run(self, **options: object) -> Job:
        return operations.run(self.context, self.program, "x86", name="j", **options)  # type: ignore[arg-type]

    @property
    def job(self) -> Job:
        return self.store.load("j")

    def prints(self) -> None:
        (self.x86.root / "jobs/j/data/stdout").write_text("line 1\n")

    def directory(self, node: FakeNode) -> Path:
        return node.root / "jobs/j"

    def one_copy_runs(self, node: FakeNode) -> None:
        assert [n for n in self.nodes.values() if n.processes] == [node]
        assert node.processes == {PID: "running"}
        assert [n for n in self.nodes.values() if self.directory(n).exists()] == [node]
        assert (self.job.state, self.job.node, self.job.target) == (State.RUNNING, node.name, None)
        assert self.job.leftovers == []
        assert self.store.unsettled(self.job) is None


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    paths = {isa: tmp_path / f"prog.{isa}" for isa in ("x86_64", "aarch64")}
    for isa, path in paths.items():
        path.write_bytes(program(isa))
    pair = Pair({isa: Binary(path) for isa, path in paths.items()})
    monkeypatch.setattr(Program, "pair", lambda self: pair)
    return World(tmp_path)


# --- start ---


def test_run(world: World) -> None:
    job = world.run()
    world.one_copy_runs(world.x86)
    assert job.pid == PID
    with pytest.raises(TransprocError, match="job j: exists already"):
        world.run()
    world.one_copy_runs(world.x86)


@pytest.mark.parametrize("operation", ["claim", "put_prog", "run", "shell"])
def test_a_failed_start_leaves_nothing(world: World, operation: str) -> None:
    world.x86.failing[operation] = BOOM
    with pytest.raises(TransprocError, match="it broke"):
        world.run()
    assert world.store.names() == []
    assert not world.directory(world.x86).exists()
    world.x86.failing = {}
    world.run()
    world.one_copy_runs(world.x86)


def test_a_program_that_does_not_get_to_its_stop_is_ended(world: World) -> None:
    """Once it ran on, and no record knew of it."""
    run = world.x86._run

    def time_out(words: list[str]) -> bytes:
        run(words)
        raise PauseError("not every thread got there")

    world.x86._run = time_out  # type: ignore[method-assign]
    job = Job("j", "x86", ["prog"])
    with pytest.raises(PauseError):
        start.start(world.store, world.place(job), world.program, pause=PauseRequest())
    assert world.x86.processes == {}
    assert not world.directory(world.x86).exists()
    assert world.store.names() == []


def test_a_node_that_is_lost_during_a_start(world: World) -> None:
    world.x86.lost_at = "run"
    with pytest.raises(NodeError) as caught:
        world.run()
    assert "'transproc recover j' removes what is left there" in (caught.value.hint or "")
    assert world.job.state is State.STARTING
    world.x86.lost_at = None
    assert operations.recover(world.context, "j") == "j had not begun: nothing of it is left"
    assert world.store.names() == []
    assert not world.directory(world.x86).exists()


def test_a_start_on_a_node_that_does_not_answer_is_recorded_nowhere(world: World) -> None:
    """Once its name was taken until the node came back, and the output of an ended job of that name was gone."""
    world.x86.lost_at = ""
    with pytest.raises(NodeError) as caught:
        world.run()
    assert "recover" not in (caught.value.hint or "")
    assert world.store.names() == []
    world.x86.lost_at = None
    world.run()
    world.prints()
    operations.kill(world.context, "j")
    ended = world.job
    assert ended.state is State.EXITED
    world.x86.lost_at = ""
    with pytest.raises(NodeError):
        world.run()
    assert world.job == ended
    assert (world.directory(world.x86) / "data/stdout").read_text() == "line 1\n"


def test_run_and_kill_exclude_each_other(world: World) -> None:
    """Once a kill during the start was overwritten."""
    claim = world.x86._enter

    def enter(operation: str) -> None:
        claim(operation)
        if operation == "put_prog":
            with pytest.raises(TransprocError, match=r"another transproc command is working on it \(run, "):
                operations.kill(world.context, "j")

    world.x86._enter = enter  # type: ignore[method-assign]
    world.run()
    world.one_copy_runs(world.x86)


# --- steps by hand ---


def by_hand(world: World) -> None:
    world.run()
    world.prints()
    operations.pause(world.context, "j")
    operations.dump(world.context, "j")
    operations.transform(world.context, "j")


def test_steps_by_hand(world: World) -> None:
    by_hand(world)
    operations.restore(world.context, "j", "arm")
    assert (world.job.state, world.job.target) == (State.RESTORED, "arm")
    operations.resume(world.context, "j")
    world.one_copy_runs(world.arm)
    assert world.job.moves == 1


@pytest.mark.parametrize("operation", ["restore", "migrate"])
def test_to_where_it_is(world: World, operation: str) -> None:
    """Once the undo of such a restore removed the live job's directory."""
    by_hand(world)
    if operation == "migrate":
        operations.resume(world.context, "j")
    before = world.job
    with pytest.raises(TransprocError, match="job j: is on node x86 already"):
        getattr(operations, operation)(world.context, "j", "x86")
    assert (world.directory(world.x86) / "data/stdout").read_text() == "line 1\n"
    assert world.job == before


def test_a_failed_restore_leaves_nothing_there(world: World) -> None:
    by_hand(world)
    world.arm.failing["restore"] = BOOM
    with pytest.raises(TransprocError, match="it broke"):
        operations.restore(world.context, "j", "arm")
    assert (world.job.state, world.job.target) == (State.TRANSFORMED, None)
    assert not world.directory(world.arm).exists()
    world.arm.failing = {}
    operations.restore(world.context, "j", "arm")
    operations.resume(world.context, "j", source=True)
    world.one_copy_runs(world.x86)


def test_shipped_first(world: World) -> None:
    by_hand(world)
    operations.ship(world.context, "j", "arm")
    assert (world.job.state, world.job.target) == (State.SHIPPED, "arm")
    assert (world.directory(world.arm) / "data/stdout").read_text() == "line 1\n"
    assert operations.recover(world.context, "j") == "j is shipped on x86"
    with pytest.raises(TransprocError, match="was shipped to arm, not to x86"):
        operations.restore(world.context, "j", "x86")
    world.arm.calls.clear()
    operations.restore(world.context, "j", "arm")
    assert "put_prog" not in world.arm.calls
    operations.resume(world.context, "j", stay_paused=True)
    assert (world.job.state, world.job.node, world.job.moves) == (State.PAUSED, "arm", 1)
    operations.resume(world.context, "j")
    world.one_copy_runs(world.arm)


@pytest.mark.parametrize("further", ["resume", "restore"])
def test_what_was_shipped_is_removed(world: World, further: str) -> None:
    by_hand(world)
    operations.ship(world.context, "j", "arm")
    if further == "restore":
        world.arm.failing["restore"] = BOOM
        with pytest.raises(TransprocError, match="it broke"):
            operations.restore(world.context, "j", "arm")
        assert (world.job.state, world.job.target) == (State.TRANSFORMED, None)
    operations.resume(world.context, "j")
    assert not world.directory(world.arm).exists()
    world.one_copy_runs(world.x86)


def test_a_restore_of_what_was_shipped_is_cut_off(world: World) -> None:
    by_hand(world)
    operations.ship(world.context, "j", "arm")
    world.store.begin(world.job, "restore", "arm")
    assert operations.recover(world.context, "j") == "j is transformed on x86"
    assert not world.directory(world.arm).exists()
    operations.resume(world.context, "j")
    world.one_copy_runs(world.x86)


def test_a_paused_job_goes_on_to_a_site(world: World) -> None:
    world.run()
    operations.pause(world.context, "j")
    operations.pause(world.context, "j", count=3)
    assert world.job.state is State.PAUSED
    world.x86.failing["pause"] = PauseError("not in time")
    with pytest.raises(PauseError):
        operations.pause(world.context, "j", count=3)
    world.one_copy_runs(world.x86)


@pytest.mark.parametrize("operation", ["pause", "dump", "checkpoint"])
def test_a_pause_whose_answer_is_lost(world: World, operation: str) -> None:
    """The program may have been stopped: it is let go. Once it stood then, and was recorded as running."""
    world.run()
    pause = world.x86._pause

    def lose(words: list[str]) -> bytes:
        pause(words)
        raise NodeError("x86", "connection lost")

    world.x86._pause = lose  # type: ignore[method-assign]
    with pytest.raises(TransprocError, match="connection lost"):
        getattr(operations, operation)(world.context, "j")
    world.one_copy_runs(world.x86)


def test_a_look(world: World) -> None:
    """The job runs already when its image is read, and the image, which is memory, is gone afterwards."""
    world.run()
    seen: list[Path] = []

    def see(image: Path) -> int:
        seen.append(image)
        assert world.x86.processes == {PID: "running"} and world.job.state is State.RUNNING
        return len(list(image.iterdir()))

    assert operations.look(world.context, "j", see) > 0
    assert not seen[0].exists() and not world.store.move("j").exists()
    assert not (world.directory(world.x86) / "images").exists()
    world.one_copy_runs(world.x86)
    assert operations.look(world.context, "j", see) > 0


@pytest.mark.parametrize("operation", ["pause", "dump", "get_dump", "resume"])
def test_a_failed_look_lets_the_job_go_on(world: World, operation: str) -> None:
    world.run()
    world.x86.failing[operation] = BOOM
    with pytest.raises(TransprocError, match="it broke"):
        operations.look(world.context, "j", lambda image: None)
    world.x86.failing = {}
    if operation == "resume":
        operations.resume(world.context, "j")
    world.one_copy_runs(world.x86)
    assert not world.store.glance("j").exists()


def test_a_look_that_was_cut_off(world: World) -> None:
    world.run()
    with pytest.raises(KeyboardInterrupt):
        operations.look(world.context, "j", lambda image: (_ for _ in ()).throw(KeyboardInterrupt))
    world.store.begin(world.job, "look")
    world.store.glance("j").mkdir()
    operations.recover(world.context, "j")
    world.one_copy_runs(world.x86)
    assert not world.store.glance("j").exists()


def test_a_failed_dump_of_a_running_job(world: World) -> None:
    world.run()
    world.x86.failing["dump"] = BOOM
    with pytest.raises(TransprocError, match=r"it broke; j runs on x86$"):
        operations.dump(world.context, "j")
    world.one_copy_runs(world.x86)


def refuse(*_: object, **__: object) -> Report:
    raise UnsupportedError("process 4711: has a seccomp filter")


def test_a_step_by_hand_that_fails_says_what_became_of_the_job(world: World) -> None:
    """Once only migrations did."""
    world.run()
    world.prints()
    world.x86.failing["pause"] = PauseError("not in time\nthread 1: busy")
    with pytest.raises(PauseError, match=r"^not in time; j runs on x86\nthread 1: busy$") as caught:
        operations.pause(world.context, "j")
    assert str(caught.value) == caught.value.message
    world.x86.failing = {}
    operations.pause(world.context, "j")
    world.x86.failing["dump"] = BOOM
    with pytest.raises(TransprocError, match=r"it broke; j is paused on x86$"):
        operations.dump(world.context, "j")
    world.x86.failing = {}
    operations.dump(world.context, "j")
    refusing = dataclasses.replace(world.context, transform=refuse)
    with pytest.raises(UnsupportedError, match=r"has a seccomp filter; j is dumped on x86$"):
        operations.transform(refusing, "j")
    operations.transform(world.context, "j")
    for step in (operations.ship, operations.restore):
        world.arm.failing["put_prog"] = BOOM
        with pytest.raises(TransprocError, match=r"it broke; j is transformed on x86$"):
            step(world.context, "j", "arm")


# --- a program that has ended ---


def test_a_job_that_has_just_ended(world: World) -> None:
    """Once it "was not touched: it runs on x86"."""
    world.run()
    job = world.job
    del world.x86.processes[PID]
    (world.directory(world.x86) / "exit").write_text("status 3\n")
    migration = Migration(world.store, job, world.place(job), world.place(job, "arm"), transform=transform)
    with pytest.raises(TransprocError) as caught:
        migration.run()
    assert str(caught.value) == "preflight: job j: has ended; j has ended on x86 (status 3)"
    assert (world.job.state, world.job.exit) == (State.EXITED, "status 3")
    assert world.store.unsettled(world.job) is None
    with pytest.raises(TransprocError, match=r"job j: has ended \(status 3\)"):
        operations.migrate(world.context, "j", "arm")


# --- kill ---


def test_kill(world: World) -> None:
    world.run()
    operations.kill(world.context, "j")
    assert world.x86.processes == {}
    assert (world.job.state, world.job.exit) == (State.EXITED, "signal 9")
    assert world.directory(world.x86).exists()
    operations.kill(world.context, "j", remove=True)
    assert not world.directory(world.x86).exists()
    assert [path for name in ("jobs", "locks") for path in (world.store.directory / name).iterdir()] == []


def test_what_could_not_be_removed_is_removed_later(world: World) -> None:
    world.run()
    world.x86.lost_at = ""
    with pytest.raises(NodeError):
        operations.kill(world.context, "j")
    operations.kill(world.context, "j", remove=True)
    assert world.store.names() == []
    assert world.notes == [
        "node x86: does not answer; what j has there is left: 'transproc recover' removes it later"
    ]
    world.x86.lost_at = None
    (world.x86.root / "jobs/theirs").mkdir()
    (world.x86.root / "jobs/theirs/id").write_text("0123456789abcdef\n")
    assert operations.sweep(world.context) == ["node x86: removed what was left of j"]
    assert world.x86.processes == {}
    assert not world.directory(world.x86).exists()
    assert (world.x86.root / "jobs/theirs").exists(), "of another host"
    world.run()
    assert operations.sweep(world.context) == []
    world.one_copy_runs(world.x86)


# --- recover: the command is gone at the beginning or at the end of a node's step ---


class Killed(BaseException):
    """As if the process had ended: nothing is put in order."""


@pytest.fixture
def killable(monkeypatch: pytest.MonkeyPatch) -> None:
    def failure(self: Migration, error: BaseException) -> BaseException:
        self.move.settle()  # a killed command's transfers end with it; ours must not go on while it is recovered
        return error

    monkeypatch.setattr(Migration, "_failure", failure)


STEPS = [
    ("x86", "look"), ("arm", "claim"), ("arm", "put_prog"), ("x86", "pause"), ("x86", "dump"), ("x86", "get_dump"),
    ("x86", "get_data"), ("arm", "put_data"), ("arm", "put_dump"), ("arm", "put_image"), ("arm", "restore"),
    ("arm", "resume"), ("x86", "retire"),
]  # fmt: skip


def cut_off(node: FakeNode, operation: str, *, after: bool) -> None:
    """The step is never taken, or its end is not heard of."""
    enter, step = node._enter, getattr(node, f"_{operation}", None)

    def die(name: str) -> None:
        enter(name)
        if name == operation:
            raise Killed

    def take_and_die(words: list[str]) -> bytes:
        assert step is not None
        step(words)
        raise Killed

    if after and step:
        setattr(node, f"_{operation}", take_and_die)
    else:
        node._enter = die  # type: ignore[method-assign]


@pytest.mark.usefixtures("killable")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("node", "operation"), STEPS)
def test_recover(world: World, node: str, operation: str, after: bool) -> None:
    world.run()
    world.prints()
    methods = {name: dict(vars(made)) for name, made in world.nodes.items()}
    cut_off(world.nodes[node], operation, after=after)
    with pytest.raises(Killed):
        operations.migrate(world.context, "j", "arm")
    for name, made in world.nodes.items():
        for key in set(vars(made)) - set(methods[name]):
            delattr(made, key)
    with pytest.raises(TransprocError, match=r"job j: a command was cut off \(migrate\)"):
        operations.migrate(world.context, "j", "arm")
    operations.recover(world.context, "j")
    there = operation == "retire" or (operation == "resume" and after)
    world.one_copy_runs(world.arm if there else world.x86)
    assert not world.store.move("j").exists()
    again = operations.migrate(world.context, "j", "x86" if there else "arm")
    assert again.target == ("x86" if there else "arm")


@pytest.mark.usefixtures("killable")
def test_a_job_that_was_paused_stays_paused(world: World) -> None:
    world.run()
    operations.pause(world.context, "j")
    cut_off(world.arm, "restore", after=True)
    with pytest.raises(Killed):
        operations.migrate(world.context, "j", "arm")
    del world.arm._restore
    assert operations.recover(world.context, "j") == "j is paused on x86"
    assert world.arm.processes == {} and world.x86.processes == {PID: "stopped"}


@pytest.mark.usefixtures("killable")
def test_recover_waits_for_a_lost_target(world: World) -> None:
    """Nobody knows whether the copy runs: nothing is done, until it answers or is given up."""
    world.run()
    cut_off(world.arm, "resume", after=True)
    with pytest.raises(Killed):
        operations.migrate(world.context, "j", "arm")
    world.arm.lost_at = ""
    with pytest.raises(NodeError) as caught:
        operations.recover(world.context, "j")
    assert world.x86.processes == {PID: "stopped"}
    assert caught.value.hint is None or "--force" in caught.value.hint
    world.arm.lost_at = None
    assert operations.recover(world.context, "j") == "j runs on arm"
    world.one_copy_runs(world.arm)


@pytest.mark.usefixtures("killable")
def test_a_lost_target_is_given_up(world: World) -> None:
    world.run()
    cut_off(world.arm, "resume", after=False)
    with pytest.raises(Killed):
        operations.migrate(world.context, "j", "arm")
    del world.arm._enter
    world.arm.lost_at = ""
    with pytest.raises(NodeError):
        operations.resume(world.context, "j")
    with pytest.raises(NodeError):
        operations.resume(world.context, "j", source=True)
    operations.resume(world.context, "j", source=True, force=True)
    given_up(world)


@pytest.mark.usefixtures("killable")
def test_a_copy_that_was_not_let_go_on_a_lost_target(world: World) -> None:
    """The source need not wait for that."""
    world.run()
    cut_off(world.arm, "restore", after=True)
    with pytest.raises(Killed):
        operations.migrate(world.context, "j", "arm")
    del world.arm._restore
    world.arm.lost_at = ""
    operations.resume(world.context, "j")
    given_up(world)


def given_up(world: World) -> None:
    assert world.x86.processes == {PID: "running"}
    assert world.job.leftovers == ["arm"]
    world.arm.lost_at = None
    assert operations.recover(world.context, "j") == "j runs on x86"
    world.one_copy_runs(world.x86)
    operations.migrate(world.context, "j", "arm")


@pytest.mark.usefixtures("killable")
def test_a_restore_that_was_cut_off_seems_to_run(world: World) -> None:
    """criu was killed: its restorer waits for it in the program's address space. Once that was taken for the job, and the
    source's copy was ended."""
    world.run()
    world.arm.restores_as = "running"
    cut_off(world.arm, "restore", after=True)
    with pytest.raises(Killed):
        operations.migrate(world.context, "j", "arm")
    del world.arm._restore
    assert operations.recover(world.context, "j") == "j runs on x86"
    world.one_copy_runs(world.x86)


@pytest.mark.usefixtures("killable")
def test_resume_settles_what_was_cut_off(world: World) -> None:
    """Also the last step: once a stopped copy stayed where the job came from."""
    world.run()
    cut_off(world.x86, "retire", after=False)
    with pytest.raises(Killed):
        operations.migrate(world.context, "j", "arm")
    del world.x86._enter
    assert operations.resume(world.context, "j").node == "arm"
    world.one_copy_runs(world.arm)


def test_a_restored_copy_that_is_gone(world: World) -> None:
    """Its node was started again, before it was let go: once nothing let the other copy go on."""
    by_hand(world)
    operations.restore(world.context, "j", "arm")
    world.arm.processes = {}
    assert operations.recover(world.context, "j") == "j is transformed on x86"
    operations.resume(world.context, "j")
    world.one_copy_runs(world.x86)


def test_a_process_that_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its node was started again: nobody wrote down how it ended."""
    monkeypatch.setattr(place, "RECORD_SECONDS", 0.0)
    world.run()
    world.x86.processes = {}
    assert operations.recover(world.context, "j") == "j has ended on x86 (lost)"
    assert world.job.exit == "lost"


def test_a_start_that_was_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise AssertionError("take_back")

    monkeypatch.setattr(start, "take_back", killed)
    cut_off(world.x86, "run", after=True)
    with pytest.raises(AssertionError):
        world.run()
    del world.x86._run
    assert world.job.state is State.STARTING
    assert operations.recover(world.context, "j") == "j runs on x86"
    world.one_copy_runs(world.x86)
    assert world.job.pid == PID


def test_an_end_that_is_noticed_is_not_saved_over_a_migration(world: World) -> None:
    """`ps`, `wait`, `logs` and `attach` look at a job while another command moves it."""
    from transproc.cluster.watch import refresh

    world.run()
    seen = world.job
    (world.directory(world.x86) / "exit").write_text("status 0\n")
    with world.store.lock("j", "migrate"):
        assert refresh(world.store, seen, world.place(seen)).state is State.RUNNING
    assert world.job.state is State.RUNNING
    old = world.job
    moved = world.job
    moved.moves = 5
    world.store.save(moved)
    assert refresh(world.store, old, world.place(old)).moves == 5
    with pytest.raises(ConflictError):
        world.store.save(old)

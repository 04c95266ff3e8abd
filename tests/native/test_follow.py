# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory follows a program that has gone on already (post-copy): nothing differs, and whoever is killed, no page is lost."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import NativeNodes
from tests.native.performing import begun, context_of, nodes_of
from tests.native.processes import in_node, kill, tools
from transproc.cluster import operations
from transproc.cluster.events import Token
from transproc.cluster.job import State, expect
from transproc.cluster.link import Link, Outcome
from transproc.cluster.move import Move
from transproc.cluster.node import SshNode, read
from transproc.cluster.operations import Context
from transproc.cluster.operations.checkpoint import place as place_of
from transproc.cluster.place import PauseRequest, Place
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.errors import MigrationError, TransprocError
from transproc.process.criu import Options
from transproc.run import output, run

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME = "follow"
MEGABYTES, PAUSE = 24, 500_000
"""Microseconds between rounds, until it is told to go on: half a minute is enough on a busy machine."""
MOST_SPACES = 1024
"""Of one copy (runtime/tool/borrow.h)."""
SLOW = Options(lazy=True, rate=16_000_000)
"""Its memory takes longer than it would run undisturbed."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("follow.c"), tmp_path_factory.mktemp("follow"), "-pthread")


@pytest.fixture(scope="module")
def undisturbed(program: Path) -> str:
    return output([f"{program}.x86_64", str(MEGABYTES), "0"])


@pytest.fixture
def context(
    machines: NativeNodes,
    nodes: dict[str, SshNode],
    program: Path,
    tmp_path: Path,
) -> Iterator[Context]:
    """With the program started on `na`, its memory filled."""
    made = context_of(tmp_path / "state", nodes)
    begun(made, NAME, [program, str(MEGABYTES), str(PAUSE)])
    yield made
    operations.discard(made, NAME)
    for name in nodes:
        assert tools(machines, name, "borrow", "lend", "link") == []


def go(context: Context, node: str = "nb") -> None:
    """The program shall take no more rests."""
    place = context.places(context.store.load(NAME), node)
    place.node.put_bytes(b"", f"{place.data}/work/go")


def finish(context: Context, undisturbed: str) -> None:
    job = wait(context.store, NAME, context.places, 30)
    assert (job.exit, job.node) == ("status 0", "nb")
    assert context.places(job).read("stdout").decode() == undisturbed
    assert not context.places(job, "na").found()


class Moving(threading.Thread):
    """A migration with --lazy; `error` is what it ended with."""

    def __init__(self, context: Context, options: Options = SLOW, *, checkpoint_first: bool = False) -> None:
        super().__init__(daemon=True)
        self.context = context
        self.options = options
        self.checkpoint_first = checkpoint_first
        self.error: TransprocError | None = None
        self.start()

    def run(self) -> None:
        try:
            operations.migrate(
                self.context, NAME, "nb", options=self.options, checkpoint_first=self.checkpoint_first
            )
        except TransprocError as error:
            self.error = error

    def await_owing(self) -> None:
        """Until the program runs without all of its memory."""
        while self.is_alive() and self.context.store.load(NAME).state is not State.OWING:
            time.sleep(0.005)
        assert self.is_alive(), self.error


def test_memory_follows(context: Context, undisturbed: str) -> None:
    moving = Moving(context)
    moving.await_owing()
    job = context.store.load(NAME)
    assert (job.node, job.owed_by, job.nodes) == ("nb", "na", ["na", "nb"])
    with pytest.raises(TransprocError, match="is owing, expected running"):
        expect(job, State.RUNNING)
    go(context)
    moving.join(30)
    assert moving.error is None
    finish(context, undisturbed)


@pytest.mark.parametrize("megabytes", [100])
def test_large_memory_goes_by_itself(
    nodes: dict[str, SshNode], program: Path, tmp_path: Path, megabytes: int
) -> None:
    """Without an image of it, and the program goes on when all is there; twice, since it then has it from a link."""
    context = context_of(tmp_path / "state", nodes)
    begun(context, NAME, [program, str(megabytes), str(PAUSE)])
    try:
        for node in ("nb", "na"):
            hop = operations.migrate(context, NAME, node)
            assert "pages" in hop.steps
            assert hop.bytes_sent > megabytes << 19
            assert context.store.load(NAME).state is State.RUNNING
        go(context, "na")
        job = wait(context.store, NAME, context.places, 30)
        assert job.exit == "status 0"
        assert context.places(job).read("stdout").decode() == output(
            [f"{program}.x86_64", str(megabytes), "0"]
        )
    finally:
        operations.discard(context, NAME)


def test_a_migration_is_called_off_while_memory_comes(
    nodes: dict[str, SshNode], machines: NativeNodes, program: Path, tmp_path: Path
) -> None:
    context = context_of(tmp_path / "state", nodes)
    begun(context, NAME, [program, "100", str(PAUSE)])
    try:

        def call_off() -> None:
            while not tools(machines, "nb", "link"):
                time.sleep(0.01)
            assert isinstance(context.cancel, Token)
            context.cancel.cancel()

        threading.Thread(target=call_off, daemon=True).start()
        with pytest.raises(MigrationError) as caught:
            operations.migrate(context, NAME, "nb", options=Options(rate=10_000_000))
        assert caught.value.outcome == f"{NAME} runs on na again"
        for name in nodes:
            assert tools(machines, name, "borrow", "lend", "link") == []
        assert context.places(context.store.load(NAME), "nb").found() == []
        go(context, "na")
        assert wait(context.store, NAME, context.places, 30).exit == "status 0"
    finally:
        operations.discard(context, NAME)


def test_frames_that_were_not_dumped_are_fetched(
    nodes: dict[str, SshNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transformation reads them; the process goes on as if nothing had been."""
    deep = compiled(Path(__file__).with_name("deep.c"), tmp_path)
    context = context_of(tmp_path / "state", nodes)
    operations.run(context, Program([str(deep)]), "na", name=NAME)
    try:
        job = context.store.load(NAME)
        place = context.places(job)
        while not place.read("stdout"):
            time.sleep(0.01)
        fetched = []
        peek = Place.peek
        monkeypatch.setattr(Place, "peek", lambda *words: fetched.append(words) or peek(*words))
        move = Move(context.store, job, place, transform=context.transform, options=Options(withhold=True))
        place.make_images()
        move.pause(PauseRequest())
        move.dump()
        move.fetch()
        counted = re.search(r"(\d[\d\s]*) frames", move.transform("aarch64"))
        assert counted and int("".join(counted[1].split())) > 3000
        assert fetched
        operations.resume(context, NAME)
        go(context, "na")
        assert wait(context.store, NAME, context.places, 30).exit == "status 0"
    finally:
        operations.discard(context, NAME)


@pytest.mark.nightly
def test_memory_moves_while_it_comes(
    machines: NativeNodes, nodes: dict[str, SshNode], tmp_path: Path
) -> None:
    """Pages come for memory that is elsewhere since a moment ago, some hundred times. Who puts them runs as soon as it can,
    on the program's processor: it may meet the moment when the memory has gone and nobody has been told."""
    program = compiled(Path(__file__).with_name("moving.c"), tmp_path)
    context = context_of(tmp_path / "state", nodes)
    begun(context, NAME, [program, "8"])
    try:
        moving = Moving(context, Options(lazy=True, rate=8_000_000))
        moving.await_owing()
        mover = in_node(machines, "nb", lambda words: words[0].endswith("/moving"))
        worker = tools(machines, "nb", "borrow")[1]
        for pid in (*mover, worker):
            os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})
        os.sched_setscheduler(worker, os.SCHED_FIFO, os.sched_param(1))
        moving.join(300)
        assert moving.error is None
        go(context)
        job = wait(context.store, NAME, context.places, 60)
        assert (job.exit, job.node) == ("status 0", "nb")
        (tmp_path / "go").touch()
        expected = output([f"{program}.x86_64", "8"], cwd=tmp_path)
        assert context.places(job).read("stdout").decode() == expected
    finally:
        operations.discard(context, NAME)


def test_a_page_is_given_back_that_another_thread_waits_for(
    nodes: dict[str, SshNode], tmp_path: Path
) -> None:
    """The thread goes on at once, not when all other memory has come."""
    context = context_of(tmp_path / "state", nodes)
    begun(context, NAME, [compiled(Path(__file__).with_name("parting.c"), tmp_path, "-pthread")])
    try:
        moving = Moving(context, Options(lazy=True, rate=100_000))
        moving.await_owing()
        place = context.places(context.store.load(NAME), "nb")
        place.node.put_bytes(b"", f"{place.data}/work/part")
        until = time.monotonic() + 30
        while b"parted" not in place.read("stdout") and time.monotonic() < until:
            time.sleep(0.1)
        assert place.read("stdout") in (b"filled\nparted with 0\n", b"filled\nparted with 7\n")
        moving.join(30)
    finally:
        operations.discard(context, NAME)


def test_mappings_are_divided_while_memory_comes(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """Of that nobody is told, and pages of several mappings do not go at once: none of them counts as unmapped."""
    context = context_of(tmp_path / "state", nodes)
    begun(context, NAME, [compiled(Path(__file__).with_name("dividing.c"), tmp_path), "4"])
    try:
        moving = Moving(context, Options(lazy=True, rate=400_000))
        moving.await_owing()
        place = context.places(context.store.load(NAME), "nb")
        place.node.put_bytes(b"", f"{place.data}/work/divide")
        while b"divided" not in place.read("stdout"):
            time.sleep(0.02)
        assert context.store.load(NAME).state is State.OWING, "otherwise this tests nothing"
        moving.join(60)
        go(context)
        assert wait(context.store, NAME, context.places, 30).exit == "status 0"
        assert place.read("stdout") == b"filled\ndivided\n0 words are wrong\n"
    finally:
        operations.discard(context, NAME)


@pytest.mark.nightly
def test_many_children_while_memory_comes(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """More than there are places for address spaces: those of children that have ended are used again."""
    program = compiled(Path(__file__).with_name("forking.c"), tmp_path)
    context = context_of(tmp_path / "state", nodes)
    begun(context, NAME, [program, "8"])
    try:
        moving = Moving(context, Options(lazy=True, rate=100_000))
        moving.await_owing()
        before = place_at(context, "nb")
        until = time.monotonic() + 60
        while place_at(context, "nb") < before + MOST_SPACES + 100 and time.monotonic() < until:
            time.sleep(0.1)
        still_owing = context.store.load(NAME).state is State.OWING
        go(context)
        moving.join(300)
        assert (moving.error, still_owing) == (None, True)
        job = wait(context.store, NAME, context.places, 60)
        assert (job.exit, job.node) == ("status 0", "nb")
    finally:
        operations.discard(context, NAME)


def place_at(context: Context, node: str) -> int:
    """How many children there were."""
    place = context.places(context.store.load(NAME), node)
    return int(place.node.output(["sh", "-c", f"wc -c <{place.data}/work/children || echo 0"]))


STRIKES: dict[str, Callable[[NativeNodes, Context], None]] = {
    "who watches": lambda machines, _: kill(tools(machines, "nb", "borrow")[0]),
    "who works": lambda machines, _: kill(tools(machines, "nb", "borrow")[1]),
    "who lends": lambda machines, _: kill(tools(machines, "na", "lend")[0]),
    "the link": lambda machines, _: kill(tools(machines, "nb", "link")[0]),
    "the connection to the source": lambda _, context: _cut(context, "na"),
    "the connection to the target": lambda _, context: _cut(context, "nb"),
}


def _cut(context: Context, node: str) -> None:
    context.places(context.store.load(NAME), node).node.session.connection.process.kill()


@pytest.mark.parametrize("strike", STRIKES.values(), ids=STRIKES.keys())
@pytest.mark.parametrize(
    "delay", [0.1, pytest.param(0.0, marks=pytest.mark.nightly), pytest.param(0.5, marks=pytest.mark.nightly)]
)
def test_whoever_is_killed(
    machines: NativeNodes,
    context: Context,
    undisturbed: str,
    strike: Callable[[NativeNodes, Context], None],
    delay: float,
) -> None:
    moving = Moving(context)
    moving.await_owing()
    go(context)
    time.sleep(delay)
    strike(machines, context)
    moving.join(40)
    assert moving.error is None
    finish(context, undisturbed)


@pytest.mark.parametrize("delay", [0.0, 0.1, pytest.param(0.5, marks=pytest.mark.nightly)])
def test_both_who_borrow_are_killed(
    machines: NativeNodes, context: Context, undisturbed: str, delay: float
) -> None:
    """Nobody holds the program's missing pages any more: it is killed before it reads a zero, and its user is told."""
    moving = Moving(context)
    moving.await_owing()
    both = tools(machines, "nb", "borrow")
    assert len(both) == 2
    go(context)
    time.sleep(delay)
    for number in (signal.SIGSTOP, signal.SIGKILL):  # not one after the other
        for pid in both:
            os.kill(pid, number)
    moving.join(20)
    job = wait(context.store, NAME, context.places, 30)
    assert (job.exit, job.node) == ("signal 9", "nb")
    printed = context.places(job).read("stdout").decode()
    assert undisturbed.startswith(printed) and printed != undisturbed
    assert f"{NAME} has ended on nb (signal 9)" in str(moving.error), moving.error
    assert not context.places(job, "na").found()


@pytest.mark.parametrize("number", [0, 1], ids=["who watches", "who works"])
def test_killed_while_criu_restores(
    machines: NativeNodes, context: Context, undisturbed: str, number: int
) -> None:
    """It moves all the same, or stays, and says so."""
    moving = Moving(context)
    while moving.is_alive() and len(found := tools(machines, "nb", "borrow")) < 2:
        time.sleep(0.002)
    kill(found[number])
    moving.join(40)
    go(context, context.store.load(NAME).node)
    job = wait(context.store, NAME, context.places, 30)
    assert job.exit == "status 0"
    assert (job.node == "nb") == (moving.error is None), moving.error
    assert context.places(job).read("stdout").decode() == undisturbed


@pytest.mark.parametrize("call", ["accept4", "recvfrom", "recvmsg"])
@pytest.mark.parametrize("stops", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_who_works_is_killed_before_it_notes_what_it_got(
    machines: NativeNodes, context: Context, undisturbed: str, call: str, stops: int
) -> None:
    """A connection, a number or a descriptor has come, and nobody knows: whoever goes on finds it."""
    moving = Moving(context)
    found: list[int] = []
    while len(found) != 2 or found != (found := tools(machines, "nb", "borrow")):  # who began them is gone
        found = tools(machines, "nb", "borrow")
        assert moving.is_alive()
    os.kill(found[1], signal.SIGSTOP)
    stops_of_gdb = ["-ex", "continue"] * stops  # at the call, and when it returns
    run(
        [
            "gdb-multiarch",
            "-p",
            str(found[1]),
            "-batch",
            "-ex",
            f"catch syscall {call}",
            *stops_of_gdb,
            "-ex",
            "kill",
        ]
    )
    moving.join(40)
    assert (moving.error, context.store.load(NAME).node) == (None, "nb")
    go(context)
    finish(context, undisturbed)


def _migrate(state: Path, configuration: Path) -> None:
    operations.migrate(context_of(state, nodes_of(configuration)), NAME, "nb", options=SLOW)


def test_the_command_is_killed(
    machines: NativeNodes, context: Context, undisturbed: str, tmp_path: Path
) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_migrate, args=(tmp_path / "state", machines.configuration), daemon=True
    )
    process.start()
    while process.is_alive() and context.store.load(NAME).state is not State.OWING:
        time.sleep(0.01)
    go(context)
    process.kill()
    process.join()
    place = context.places(context.store.load(NAME), "nb")
    time.sleep(0.5)
    before = place.printed()
    time.sleep(0.5)
    assert place.printed() == before  # it waits for what it has not got
    told = operations.recover(context, NAME)
    assert told in (f"{NAME} runs on nb", f"{NAME} has ended (status 0) on nb")  # it takes no more rests
    finish(context, undisturbed)


def test_a_checkpoint_outlives_a_source_that_is_lost(
    program: Path, undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost is what was computed since; without a loss nothing is left of it."""
    monkeypatch.setattr("transproc.cluster.paging.PATIENCE_SECONDS", 1.0)
    with NativeNodes(tmp_path / "nodes") as machines:
        nodes = {node.name: node for node in read(machines.configuration)}
        context = context_of(tmp_path / "state", nodes)
        kept = place_of(context.store)
        begun(context, NAME, [program, str(MEGABYTES), str(PAUSE)])
        moving = Moving(context, checkpoint_first=True)
        moving.await_owing()
        (path,) = kept.iterdir()
        machines.machines["na"].process.kill()
        moving.join(60)
        assert context.store.load(NAME).state is State.OWING
        with pytest.raises(TransprocError) as caught:
            operations.recover(context, NAME)
        assert f"then 'transproc restart {path} --node nb' begins from before that" in str(caught.value.hint)
        operations.kill(context, NAME, remove=True)
        operations.restart(context, path, "nb")
        go(context)
        job = wait(context.store, NAME, context.places, 30)
        assert (job.exit, context.places(job).read("stdout").decode()) == ("status 0", undisturbed)
        for node in nodes.values():
            node.close()


def test_nothing_is_left_of_a_checkpoint_that_was_not_needed(context: Context, undisturbed: str) -> None:
    moving = Moving(context, checkpoint_first=True)
    moving.await_owing()
    kept = place_of(context.store)
    assert len(list(kept.iterdir())) == 1
    go(context)
    moving.join(30)
    assert moving.error is None
    assert list(kept.iterdir()) == []
    finish(context, undisturbed)


def test_a_job_that_owes_is_ended(context: Context) -> None:
    moving = Moving(context)
    moving.await_owing()
    place = context.places(context.store.load(NAME), "nb")
    place.tool.kill(context.store.load(NAME).pid)
    moving.join(40)
    assert moving.error is None
    assert wait(context.store, NAME, context.places, 10).exit == "signal 9"
    assert not context.places(context.store.load(NAME), "na").found()


def test_a_target_that_was_wiped_brings_nothing(context: Context) -> None:
    """What a program there says that cannot begin is no word about pages: else nobody would ever give up."""
    source, target = (context.places(context.store.load(NAME), node) for node in ("na", "nb"))
    link = Link(source, target, source.job.pid)
    while not link.wait(1.0):
        pass
    assert (link.outcome(), link.bytes) == (Outcome.INTERRUPTED, 0)
    link.close()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory goes ahead of a program that changes it all the while (pre-copy): nothing differs, and whatever fails, it runs on."""

from __future__ import annotations

import os
import platform
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import Machine, NativeNodes
from tests.native.performing import begun, context_of, expect_right
from tests.native.processes import kill, tools
from transproc.cluster import operations
from transproc.cluster.events import Silent
from transproc.cluster.job import State
from transproc.cluster.link import Copying, Round
from transproc.cluster.node import SshNode, read
from transproc.cluster.operations import Context
from transproc.cluster.paging import FEW_BYTES, MOST_ROUNDS, enough
from transproc.cluster.place import Place
from transproc.cluster.watch import wait
from transproc.errors import MigrationError, NodeError, TransprocError
from transproc.log import Step
from transproc.process.criu import Options

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


def kernel() -> tuple[int, ...]:
    """Its version."""
    return tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2])


USERFAULTFD = {"x86_64": 323, "aarch64": 282}.get(platform.machine(), 0)
"""Its number."""
NAME, MEGABYTES, PERMILLE = "changing", 24, 300
COPY, HOLD = ("na", "copy"), ("nb", "hold")


def shown(place: Place) -> list[bytes]:
    """What the program does not change: descriptors, handlers, and that nobody stops or traces it."""
    script = "ls -l /proc/$1/fd | sed 's/.* //'; grep -E '^(SigCgt|TracerPid|State:.T)' /proc/$1/status"
    return place.node.run(["sh", "-c", script, "sh", str(place.job.pid)]).stdout.splitlines()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("changing.c"), tmp_path_factory.mktemp("changing"))


@pytest.fixture(scope="module")
def placing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("placing.c"), tmp_path_factory.mktemp("placing"), "-pthread")


@contextmanager
def slowed(file: Path, rate: int) -> Iterator[None]:
    """What the processes that were given its name read from its device comes with so many bytes a second."""
    device, groups = file.stat().st_dev, Path("/sys/fs/cgroup/blkio")
    number = f"{os.major(device)}:{os.minor(device)}"
    if not groups.is_dir() or not Path("/sys/dev/block", number).exists():
        pytest.skip("no block device, or nobody to slow it down")
    group = groups / f"transproc-{os.getpid()}"
    group.mkdir()
    try:
        (group / "blkio.throttle.read_bps_device").write_text(f"{number} {rate}")
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if str(file).encode() in line.read_bytes().split(b"\0"):
                    (group / "cgroup.procs").write_text(line.parent.name)
        assert (group / "cgroup.procs").read_text()
        yield
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            (groups / "cgroup.procs").write_text(pid)
        group.rmdir()


@pytest.fixture
def context(
    request: pytest.FixtureRequest,
    machines: NativeNodes,
    nodes: dict[str, SshNode],
    program: Path,
    tmp_path: Path,
) -> Iterator[Context]:
    """With the program started on `na`, its memory filled; a parameter: its arguments."""
    made = context_of(tmp_path / "state", nodes)
    words = getattr(request, "param", [str(MEGABYTES), str(PERMILLE)])
    begun(made, NAME, [program, *words])
    yield made
    operations.discard(made, NAME)
    for name in nodes:
        assert tools(machines, name, "copy", "hold", "borrow", "lend", "link") == []


@pytest.mark.parametrize("lazy", [False, True])
def test_memory_goes_ahead(context: Context, lazy: bool) -> None:
    """There and back, while three tenths of it change a second."""
    for node in ("nb", "na"):
        hop = operations.migrate(context, NAME, node, options=Options(precopy=True, lazy=lazy))
        assert ("compare" in hop.steps) == (not lazy) and "pages" in hop.steps
        assert hop.bytes_sent > MEGABYTES << 20
        assert context.store.load(NAME).state is State.RUNNING
    expect_right(context, NAME, "na")


@pytest.mark.nightly
@pytest.mark.parametrize("context", [["3000", "100"]], indirect=True)
def test_much_memory_goes_in_all_ways(context: Context) -> None:
    """One after the other, and twice."""
    ways = [Options(precopy=True), Options(precopy=True, lazy=True), Options(lazy=True)]
    for number, options in enumerate(2 * ways):
        hop = operations.migrate(context, NAME, ("nb", "na")[number % 2], options=options)
        assert hop.bytes_sent > 2000 << 20, "some pages were given back"
    expect_right(context, NAME, "na")


@pytest.mark.parametrize("lazy", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_memory_is_given_back_while_it_comes(
    machines: NativeNodes, nodes: dict[str, SshNode], tmp_path: Path, lazy: bool
) -> None:
    """Faults of some threads are met while pages are put in place, and another one changes what is owed."""
    context = context_of(tmp_path / "state", nodes)
    program = compiled(Path(__file__).with_name("returning.c"), tmp_path, "-pthread")
    begun(context, NAME, [program, "128", "3"])
    try:
        for node in ("nb", "na"):
            operations.migrate(context, NAME, node, options=Options(precopy=True, lazy=lazy))
        expect_right(context, NAME, "na")
    finally:
        operations.discard(context, NAME)


@pytest.mark.parametrize("context", [["160", "0.1", "sparse"]], indirect=True)
def test_many_holes_go_ahead(context: Context) -> None:
    """More ranges of pages than the kernel tells of at once, of which none is looked at twice."""
    place = context.places(context.store.load(NAME))
    place.make_images()
    copying = Copying(place, place, place.job.pid)
    try:
        copying.begin()
        while not copying.done(1.0):
            pass
        assert 83_000_000 < copying.rounds[0].looked_at < 84_500_000
    finally:
        copying.close()
    operations.migrate(context, NAME, "nb", options=Options(precopy=True))
    expect_right(context, NAME, "nb")


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.nightly)])
def test_processes_end_while_memory_goes_ahead(
    nodes: dict[str, SshNode], tmp_path: Path, seconds: int
) -> None:
    """And more of them, in a minute, than there are places for."""
    context = context_of(tmp_path / "state", nodes)
    program = compiled(Path(__file__).with_name("forking.c"), tmp_path)
    place = begun(context, NAME, [program, "8"])
    try:
        place.make_images()
        copying = Copying(place, place, place.job.pid)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            copying.begin()
            while not copying.done(1.0):
                pass
        copying.close()
        operations.migrate(context, NAME, "nb", options=Options(precopy=True))
        place = context.places(context.store.load(NAME), "nb")
        place.node.put_bytes(b"", f"{place.data}/work/go")
        assert wait(context.store, NAME, context.places, 30).exit == "status 0"
    finally:
        operations.discard(context, NAME)


@pytest.mark.parametrize("context", [[str(MEGABYTES), "1"]], indirect=True)
@pytest.mark.skipif(
    kernel() < (6, 7) or platform.machine() != "x86_64", reason="nobody tells what was written there"
)
def test_what_was_not_written_is_not_read_again(context: Context) -> None:
    """The program runs on with no descriptor more than it had, and no handler."""
    place = context.places(context.store.load(NAME))
    place.make_images()

    before = shown(place)
    copying = Copying(place, place, place.job.pid)
    try:
        for _ in range(4):
            copying.begin()
            while not copying.done(1.0):
                pass
        assert shown(place) == before
        first, second, *others = copying.rounds
        assert min(first.looked_at, second.looked_at) > (MEGABYTES - 1) << 20, "some pages are given back"
        assert second.sent < first.sent / 2
        assert all(round.sent <= round.looked_at < first.looked_at / 2 for round in others)
        assert others[-1].looked_at < 1 << 17, "nor are its neighbours"
    finally:
        copying.close()
    expect_right(context, NAME, "na")


@pytest.mark.parametrize(
    ("way", "rate"),
    [("move", 0), ("open", 0), ("open", 4_000_000), ("direct", 4_000_000), ("shut", 500_000)],
)
def test_memory_that_no_instruction_writes(
    nodes: dict[str, SshNode], placing: Path, tmp_path: Path, way: str, rate: int
) -> None:
    """Pages move to other addresses, or come from a slow device: a read of 256 kB is on its way through several rounds."""
    context, file = context_of(tmp_path / "state", nodes), tmp_path / "pages"
    begun(context, NAME, [placing, "12", way, *([file] if way != "move" else [])])
    with slowed(file, rate) if rate else nullcontext():
        operations.migrate(context, NAME, "nb", options=Options(precopy=True))
        expect_right(context, NAME, "nb")
    operations.discard(context, NAME)


def looked_at(place: Place, number: int) -> list[int]:
    """In so many rounds."""
    place.make_images()
    copying = Copying(place, place, place.job.pid)
    try:
        for _ in range(number):
            copying.begin()
            while not copying.done(1.0):
                pass
        return [round.looked_at for round in copying.rounds]
    finally:
        copying.close()


@pytest.mark.parametrize(("way", "rate"), [("calm", 0), ("shut", 500_000)])
@pytest.mark.skipif(
    kernel() < (6, 7) or platform.machine() != "x86_64", reason="nobody tells what was written there"
)
def test_who_reads_around_the_cache_is_compared(
    nodes: dict[str, SshNode], placing: Path, tmp_path: Path, way: str, rate: int
) -> None:
    """Whatever the kernel says of its memory: it does not know what a device writes."""
    context, file = context_of(tmp_path / "state", nodes), tmp_path / "pages"
    place = begun(context, NAME, [placing, "4", way, file])
    with slowed(file, rate) if rate else nullcontext():
        for last in (False, False, False, True):
            first, *_, third = looked_at(place, 3)
            if first == third:  # else it was between two reads when a round began
                break
            assert rate and not last
        expect_right(context, NAME, "na")
    operations.discard(context, NAME)


def test_what_writes_past_the_kernel_s_faults_is_noticed(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """Pages that nobody has written, says the kernel, and that are others: it is asked no more."""
    context = context_of(tmp_path / "state", nodes)
    program = compiled(Path(__file__).with_name("pinned.c"), tmp_path)
    place = begun(context, NAME, [program, "8", tmp_path / "pages"])
    first, *_, last = looked_at(place, 5)
    assert last == first > 7 << 20
    expect_right(context, NAME, "na")
    operations.discard(context, NAME)


@pytest.mark.parametrize("context", [[str(MEGABYTES), "50", str(USERFAULTFD)]], indirect=True)
def test_a_filter_that_would_end_the_program(context: Context) -> None:
    """No call is made in it that it may not make itself."""
    looked_at(context.places(context.store.load(NAME)), 2)
    expect_right(context, NAME, "na")


@pytest.mark.parametrize("context", [[str(MEGABYTES), "50"]], indirect=True)
@pytest.mark.parametrize("rounds", [8, pytest.param(300, marks=pytest.mark.nightly)])
def test_who_begins_to_track_is_killed(context: Context, machines: NativeNodes, rounds: int) -> None:
    """At any moment: the program runs on, and nothing of it is left there."""
    place, chance = context.places(context.store.load(NAME)), random.Random(1)

    before = shown(place)
    for _ in range(rounds):
        place.make_images()
        copying = Copying(place, place, place.job.pid)
        time.sleep(chance.random() * 0.03)
        found = tools(machines, "na", "copy")[
            :2
        ]  # who copies, and who traces for it; the third is the guardian
        for pid in chance.choice((found, found[:1], found[1:])):
            kill(pid)
        copying.close()
        until = time.monotonic() + 20
        while shown(place) != before:
            assert time.monotonic() < until, shown(place)
            time.sleep(0.02)
    operations.migrate(context, NAME, "nb", options=Options(precopy=True))
    expect_right(context, NAME, "nb")


@pytest.mark.parametrize("follows", [False, True])
def test_the_way_is_chosen(context: Context, monkeypatch: pytest.MonkeyPatch, follows: bool) -> None:
    """By size, and by how fast it changes against what the link carries."""
    assert operations.forecast(context, NAME, "nb").way == "memory goes while it stands"
    monkeypatch.setattr("transproc.cluster.preflight.AHEAD", 0)
    monkeypatch.setattr("transproc.cluster.preparing.LONG_SECONDS", 0.0 if follows else 60.0)
    assert operations.forecast(context, NAME, "nb").way == "memory goes ahead while it runs"
    hop = operations.migrate(context, NAME, "nb")
    assert "precopy" in hop.steps and ("compare" not in hop.steps) == follows
    expect_right(context, NAME, "nb")


class Losing(Silent):
    """Ends a node when a step begins."""

    def __init__(self, machine: Machine, at: str) -> None:
        self.machine, self.at = machine, at

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        if name == self.at:
            self.machine.process.kill()
            self.machine.process.wait()
        with super().step(name) as step:
            yield step


def test_the_source_is_lost_when_it_has_gone_on(program: Path, tmp_path: Path) -> None:
    """All of its memory was on the target by then: nothing is lost."""
    with NativeNodes(tmp_path / "nodes") as machines:
        nodes = {node.name: node for node in read(machines.configuration)}
        context = context_of(tmp_path / "state", nodes, Losing(machines.machines["na"], "pages"))
        begun(context, NAME, [program, "64", "100"])
        operations.migrate(context, NAME, "nb", options=Options(precopy=True))
        job = context.store.load(NAME)
        assert (job.state, job.node, job.leftovers) == (State.RUNNING, "nb", ["na"])
        expect_right(context, NAME, "nb")
        for node in nodes.values():
            node.close()


def test_rounds_end() -> None:
    def rounds(*sent: int) -> list[Round]:
        return [Round(100 * FEW_BYTES, each) for each in sent]

    many, half = 64 * FEW_BYTES, 32 * FEW_BYTES
    assert not enough([]) and not enough(rounds(many)) and not enough(rounds(many, half))
    assert enough(rounds(many, FEW_BYTES))
    assert enough(rounds(many, half, half - 1))
    falling = [int(many * FEW_BYTES * 0.7**number) for number in range(MOST_ROUNDS)]
    assert enough(rounds(*falling)) and not enough(rounds(*falling[:-1]))


class Moving(threading.Thread):
    """A migration; `error` is what it ended with."""

    def __init__(self, context: Context, options: Options) -> None:
        super().__init__(daemon=True)
        self.context, self.options = context, options
        self.error: TransprocError | None = None
        self.start()

    def run(self) -> None:
        try:
            operations.migrate(self.context, NAME, "nb", options=self.options)
        except TransprocError as error:
            self.error = error

    def await_state(self, *states: State) -> None:
        while self.is_alive() and self.context.store.load(NAME).state not in states:
            time.sleep(0.001)


def _kill_tool(machines: NativeNodes, node: str, command: str) -> None:
    kill(tools(machines, node, command)[0])


def _cut(context: Context, node: str) -> None:
    context.places(context.store.load(NAME), node).node.session.connection.process.kill()


@pytest.mark.parametrize(("node", "command"), [COPY, HOLD])
def test_killed_while_it_goes_ahead(machines: NativeNodes, context: Context, node: str, command: str) -> None:
    """The program was not touched, and nothing of it is on the target; a lost connection is in test_resumed.py."""
    moving = Moving(context, Options(precopy=True, rate=8_000_000))
    while not tools(machines, node, command):
        time.sleep(0.005)
    time.sleep(0.3)
    _kill_tool(machines, node, command)
    moving.join(30)
    assert isinstance(moving.error, MigrationError)
    assert moving.error.outcome.startswith(f"{NAME} was not touched: it runs on na")
    operations.recover(context, NAME)
    assert context.places(context.store.load(NAME), "nb").found() == []
    for name in ("na", "nb"):
        assert tools(machines, name, "copy", "hold", "borrow") == []
    expect_right(context, NAME, "na")


@pytest.mark.parametrize(("node", "command"), [COPY, HOLD])
def test_killed_while_it_stands(machines: NativeNodes, context: Context, node: str, command: str) -> None:
    """It goes on where it was, unless all had come."""
    moving = Moving(context, Options(precopy=True))
    moving.await_state(State.PAUSED, State.DUMPED)
    _kill_tool(machines, node, command)
    moving.join(30)
    expect_right(context, NAME, "nb" if moving.error is None else "na")


@pytest.mark.parametrize(("node", "command"), [COPY, HOLD])
def test_killed_before_it_was_compared(
    machines: NativeNodes, context: Context, node: str, command: str
) -> None:
    """With --lazy the program runs already: what was not compared comes over the link."""
    moving = Moving(context, Options(precopy=True, lazy=True))
    moving.await_state(State.PAUSED, State.DUMPED)
    _kill_tool(machines, node, command)
    moving.join(30)
    assert moving.error is None
    expect_right(context, NAME, "nb")


@pytest.mark.parametrize("lazy", [False, pytest.param(True, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    "states", [[State.PAUSED], [State.RESTORED, State.OWING]], ids=["stands", "restored"]
)
@pytest.mark.parametrize("node", ["na", "nb"])
def test_lost_when_it_is_too_late_to_go_on(
    context: Context, node: str, states: list[State], lazy: bool
) -> None:
    """Who holds memory does not wait for another connection then: the program does."""
    moving = Moving(context, Options(precopy=True, lazy=lazy))
    moving.await_state(*states)
    _cut(context, node)
    moving.join(30)
    assert not moving.is_alive()
    with suppress(NodeError):  # who asks first may be the one to hear of it
        context.places(context.store.load(NAME), node).node.run(["true"])
    if context.store.load(NAME).state is not State.RUNNING:
        operations.recover(context, NAME)
    expect_right(context, NAME, context.store.load(NAME).node)

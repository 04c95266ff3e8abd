# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A connection is lost while memory goes ahead: another one goes on with what has come, and nobody waits for ever with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import NativeNodes
from tests.native.performing import begun, context_of, expect_right
from tests.native.processes import children, in_node, kill, tools
from tests.native.test_direct import Telling, servers
from tests.native.wire import Wire
from transproc.cluster import operations
from transproc.cluster.job import State
from transproc.cluster.link import Copying
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.errors import MigrationError
from transproc.log import Step
from transproc.process.criu import Options

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME, MEGABYTES = "resumed", 24
MEMORY = MEGABYTES << 20


class Striking(Telling):
    """Does something beside it all, once, when so many bytes have gone ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.strike: Callable[[], object] = lambda: None
        self.least = MEMORY // 3
        self.gone = 0
        """Bytes by then."""
        self.at = "precopy"

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        with super().step(name) as step:
            if name == self.at:
                step.hear = self._hear
            yield step

    def _hear(self, done: int, _total: int) -> None:
        if self.gone or done < self.least:
            return
        self.gone = done
        threading.Thread(target=self.strike, daemon=True).start()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("changing.c"), tmp_path_factory.mktemp("changing"))


@pytest.fixture
def wires(machines: NativeNodes) -> Iterator[dict[str, Wire]]:
    made = {name: Wire(machine.port) for name, machine in machines.machines.items()}
    yield made
    for wire in made.values():
        wire.close()


@pytest.fixture
def striking() -> Striking:
    return Striking()


@pytest.fixture
def context(  # noqa: PLR0917
    request: pytest.FixtureRequest,
    machines: NativeNodes,
    nodes: dict[str, SshNode],
    wires: dict[str, Wire],
    program: Path,
    striking: Striking,
    tmp_path: Path,
) -> Iterator[Context]:
    """With the program started on `na`; a parameter: its megabytes. The nodes are behind wires."""
    behind = {
        name: SshNode(name, replace(node.address, port=wires[name].port), node.description)
        for name, node in nodes.items()
    }
    made = context_of(tmp_path / "state", behind, striking)
    begun(made, NAME, [program, str(getattr(request, "param", MEGABYTES)), "1"])
    yield made
    assert servers(machines, "nb") == []
    operations.discard(made, NAME)
    for node in nodes:
        assert tools(machines, node, "copy", "hold", "borrow", "lend", "link") == []
    for way in behind.values():
        way.close()


def migrated(context: Context, striking: Striking, memory: int, rate: int | None = None) -> int:
    """Goes to `nb`, while it is struck; the bytes that were sent."""
    hop = operations.migrate(context, NAME, "nb", options=Options(precopy=True, rate=rate))
    assert ", resumed after " in striking.details["precopy"]
    assert striking.gone >= memory // 4, "it was struck too early to say anything"
    expect_right(context, NAME, "nb")
    return hop.bytes_sent


@pytest.mark.parametrize(
    ("node", "way"),
    [
        pytest.param("na", "cut", marks=pytest.mark.nightly),
        ("nb", "cut"),
        pytest.param("na", "stalled", marks=pytest.mark.nightly),
        pytest.param("nb", "stalled", marks=pytest.mark.nightly),
    ],
)
def test_it_goes_on_with_what_has_come(
    context: Context, striking: Striking, wires: dict[str, Wire], node: str, way: str
) -> None:
    """To the source or the target; the latter may not hear that its connection is lost."""

    def strike() -> None:
        with getattr(wires[node], way)():
            time.sleep(0.5 if way == "cut" else 10.0)

    striking.strike = strike
    sent = migrated(context, striking, MEMORY, rate=12_000_000)
    assert sent < MEMORY + MEMORY // 8


@pytest.mark.parametrize("context", [400], indirect=True)
def test_it_goes_on_where_memory_goes_straight(
    context: Context, striking: Striking, machines: NativeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And straight again."""
    memory = 400 << 20
    striking.least = memory // 4
    monkeypatch.setattr("transproc.cluster.paging.TELL_SECONDS", 0.01)

    def strike() -> None:
        serving = in_node(machines, "nb", lambda words: any("/direct/config" in word for word in words))
        for connection in {child for server in serving for child in children(server)} - set(serving):
            for process in (*children(connection), connection):  # from OpenSSH 9.8 on, root's has two as well
                kill(process)

    striking.strike = strike
    sent = migrated(context, striking, memory)
    assert striking.details["prepare"].endswith("memory goes straight")
    assert sent < memory + memory // 8


@pytest.mark.parametrize("node", ["na", "nb"])
def test_files_go_on_with_what_has_come(
    context: Context, striking: Striking, wires: dict[str, Wire], node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file is whole on the target, of which a part had come."""
    monkeypatch.setattr("transproc.cluster.join.TELL_SECONDS", 0.01)
    size = 100 << 20
    place = context.places(context.store.load(NAME))
    place.node.run(
        ["sh", "-c", 'head -c "$1" /dev/urandom >"$2"', "sh", str(size), f"{place.data}/work/large"]
    )
    striking.at, striking.least = "files", size // 8

    def strike() -> None:
        with wires[node].cut():
            time.sleep(0.5)

    striking.strike = strike
    before = place.digests([f"{place.data}/work/large"])
    hop = operations.migrate(context, NAME, "nb")
    assert ", resumed after " in striking.details["files"]
    assert hop.bytes_sent < size + striking.gone // 2 + MEMORY + MEMORY // 4
    place = context.places(context.store.load(NAME))
    assert place.digests([f"{place.data}/work/large"]) == before
    expect_right(context, NAME, "nb")


def test_a_node_that_does_not_come_back(
    context: Context, striking: Striking, wires: dict[str, Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the program runs on; `recover` removes what waits there."""
    monkeypatch.setattr("transproc.cluster.paging.PATIENCE_SECONDS", 1.0)
    away = threading.Event()

    def strike() -> None:
        with wires["nb"].cut():
            away.wait()

    striking.strike = strike
    with pytest.raises(MigrationError, match="runs on na"):
        operations.migrate(context, NAME, "nb", options=Options(precopy=True, rate=12_000_000))
    away.set()
    assert context.store.load(NAME).leftovers == ["nb"]
    operations.recover(context, NAME)
    assert context.store.load(NAME).state is State.RUNNING
    expect_right(context, NAME, "na")


def ready(context: Context) -> tuple[Place, Place]:
    """The job's places on `na` and on `nb`, which may hold its memory now."""
    source, target = (context.places(context.store.load(NAME), name) for name in ("na", "nb"))
    target.prepare(Path("/bin/true"))
    target.make_images()
    return source, target


def held(machines: NativeNodes, context: Context) -> None:
    """Somebody holds memory on `nb`, whose connection is gone."""
    source, target = ready(context)
    copying = Copying(source, target, source.job.pid)
    copying.begin()
    while not copying.done(1.0):
        pass
    copying.close()
    time.sleep(0.5)
    assert len(tools(machines, "nb", "hold")) == 1


def gone(machines: NativeNodes, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while tools(machines, "nb", "hold") and time.monotonic() < until:
        time.sleep(0.05)
    return not tools(machines, "nb", "hold")


def test_what_is_held_goes_with_its_directory(machines: NativeNodes, context: Context) -> None:
    held(machines, context)
    target = context.places(context.store.load(NAME), "nb")
    target.remove()
    assert gone(machines, 5)
    held(machines, context)
    begin = time.monotonic()
    target.become_quiet()
    assert gone(machines, 0) and time.monotonic() - begin < 10
    target.remove()
    expect_right(context, NAME, "na")


def test_who_copied_before_is_ended(machines: NativeNodes, context: Context) -> None:
    """Two would take each other's word of what was written."""
    source, target = ready(context)
    before = Copying(source, target, source.job.pid)
    while len(tools(machines, "na", "copy")) != 1:  # the tracer has gone
        time.sleep(0.01)
    source.end_copying()
    assert tools(machines, "na", "copy", "pack") == []
    before.close()
    target.end()
    expect_right(context, NAME, "na")


@pytest.mark.nightly
def test_nobody_waits_for_ever(machines: NativeNodes, context: Context) -> None:
    held(machines, context)
    assert not gone(machines, 50)
    assert gone(machines, 20)
    context.places(context.store.load(NAME), "nb").remove()
    expect_right(context, NAME, "na")

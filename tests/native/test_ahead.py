# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""criu is started before the program stands, and does nothing until it is told to. Whoever gives up, nothing is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import NativeNodes
from tests.native.performing import begun, clearing, expect_right
from tests.native.processes import in_node, is_criu, is_tool, kill, tools, words_of
from transproc.cluster import operations
from transproc.cluster.move import Move
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import PauseRequest
from transproc.errors import MigrationError, NodeError

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

SECONDS = 10.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("changing.c"), tmp_path_factory.mktemp("programs"))


@pytest.fixture
def context(nodes: dict[str, SshNode], program: Path, tmp_path: Path) -> Iterator[Context]:
    with clearing(tmp_path / "state", nodes) as made:
        begun(made, "job", [program, "1", "10"])
        yield made


def criu(machines: NativeNodes, node: str) -> list[int]:
    return in_node(machines, node, lambda words: is_criu(words) and not is_tool(words))


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def expect_nothing(machines: NativeNodes) -> None:
    """No criu, and no tool that waits, on either node."""

    def left() -> list[str]:
        found = [pid for node in ("na", "nb") for pid in criu(machines, node) + tools(machines, node, "dump")]
        return [f"{pid}: {words_of(pid)}" for pid in found]

    end = time.monotonic() + SECONDS
    while found := left():
        assert time.monotonic() < end, found
        time.sleep(0.01)


def strike(patch: pytest.MonkeyPatch, action: Callable[[], None]) -> None:
    """When both wait, and the program still runs."""
    pause = Move.pause

    def struck(self: Move, request: PauseRequest) -> str:
        action()
        return pause(self, request)

    patch.setattr(Move, "pause", struck)


def test_both_wait_before_the_pause(
    context: Context, machines: NativeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that waited are those that work."""
    seen: dict[str, list[int]] = {}

    def look() -> None:
        for node in ("na", "nb"):
            until(lambda node=node: bool(criu(machines, node)))  # type: ignore[misc]
            seen[node] = criu(machines, node)

    strike(monkeypatch, look)
    started: list[str] = []
    run = SshNode.run

    def watching(self: SshNode, argv: list[str], **options: object) -> object:
        started.extend(word for word in map(str, argv) if word in ("dump", "restore"))
        return run(self, argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(SshNode, "run", watching)
    operations.migrate(context, "job", "nb")
    assert all(seen.values())
    assert started == []
    expect_right(context, "job", "nb")
    expect_nothing(machines)


def test_a_pause_that_fails_leaves_nothing(
    context: Context, machines: NativeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise NodeError("na", "it broke")

    strike(monkeypatch, fail)
    with pytest.raises(MigrationError, match="runs on na"):
        operations.migrate(context, "job", "nb")
    expect_nothing(machines)
    monkeypatch.undo()
    operations.migrate(context, "job", "nb")
    expect_right(context, "job", "nb")


@pytest.mark.parametrize("node", ["na", "nb"])
def test_one_that_was_killed_while_it_waits_harms_nobody(
    context: Context, machines: NativeNodes, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    def end() -> None:
        until(lambda: bool(criu(machines, node)))
        for pid in criu(machines, node):
            kill(pid)

    strike(monkeypatch, end)
    with pytest.raises(MigrationError, match="runs on na again"):
        operations.migrate(context, "job", "nb")
    monkeypatch.undo()
    expect_nothing(machines)
    operations.migrate(context, "job", "nb")
    expect_right(context, "job", "nb")


@pytest.mark.parametrize(("node", "command"), [("na", "dump"), ("nb", "restore")])
def test_without_the_tool_that_waits_another_is_started(
    context: Context, machines: NativeNodes, monkeypatch: pytest.MonkeyPatch, node: str, command: str
) -> None:
    """The criu that it had started ends for want of what it is to do."""

    def end() -> None:
        until(lambda: bool(criu(machines, node)))
        for pid in tools(machines, node, command):
            kill(pid)
        until(lambda: not criu(machines, node))
        time.sleep(0.2)  # until it is known

    strike(monkeypatch, end)
    operations.migrate(context, "job", "nb")
    expect_right(context, "job", "nb")
    expect_nothing(machines)


def test_it_ends_with_the_command(
    context: Context, machines: NativeNodes, nodes: dict[str, SshNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose connections are lost, when both wait; the program has not stood."""

    def leave() -> None:
        until(lambda: bool(criu(machines, "na") and criu(machines, "nb")))
        for pid in in_node(machines, "na", _serves) + in_node(machines, "nb", _serves):
            kill(pid)
        raise NodeError("na", "connection lost")  # otherwise another one may go on with it

    strike(monkeypatch, leave)
    with pytest.raises(MigrationError):
        operations.migrate(context, "job", "nb")
    monkeypatch.undo()
    expect_nothing(machines)
    if context.store.unsettled(context.store.load("job")):
        operations.recover(context, "job")
    expect_right(context, "job", "na")


def _serves(words: list[str]) -> bool:
    return "transproc-stop" in words[0] and words[1:2] == ["serve"]


def test_a_program_that_ends_meanwhile(
    context: Context, machines: NativeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = context.places(context.store.load("job"))

    def end() -> None:
        place.node.put_bytes(b"", f"{place.data}/work/go")
        until(lambda: bool(place.ended(place.job.pid, 1.0)))

    strike(monkeypatch, end)
    with pytest.raises(MigrationError, match="has ended on na"):
        operations.migrate(context, "job", "nb")
    expect_nothing(machines)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory goes straight from node to node, where these reach each other; of the keys and the server for that nothing is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import NativeNodes
from tests.native.performing import begun, context_of, expect_right
from tests.native.processes import in_node, kill, tools
from transproc.cluster import operations
from transproc.cluster.direct import Direct
from transproc.cluster.events import Silent
from transproc.cluster.job import State
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.errors import TransprocError
from transproc.log import Step
from transproc.process.criu import Options

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME, MEGABYTES = "straight", 32


class Telling(Silent):
    """Keeps what steps say."""

    def __init__(self) -> None:
        self.details: dict[str, str] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        with super().step(name) as step:
            yield step
        self.details[name] = step.detail


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("changing.c"), tmp_path_factory.mktemp("changing"))


@pytest.fixture
def context(
    machines: NativeNodes,
    nodes: dict[str, SshNode],
    program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Context]:
    """With the program started on `na`."""
    monkeypatch.setattr("transproc.cluster.paging.STRAIGHT", 0)
    monkeypatch.setattr("transproc.cluster.preflight.LARGE", 0)
    made = context_of(tmp_path / "state", nodes, Telling())
    begun(made, NAME, [program, str(MEGABYTES), "100"])
    yield made
    for node in nodes:
        assert servers(machines, node) == []
        assert tools(machines, node, "copy", "hold", "borrow", "lend", "link") == []
    for node in nodes.values():
        found = node.output(["sh", "-c", "find /var/lib/transproc/jobs -name direct"])
        assert found == ""
    operations.discard(made, NAME)


def servers(machines: NativeNodes, node: str) -> list[int]:
    """Those that were started for a migration, whatever they carry; they may take a moment to end."""
    until = time.monotonic() + 10
    while True:
        found = in_node(machines, node, lambda words: any("/direct/config" in word for word in words))
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.05)


def told(context: Context, step: str) -> str:
    assert isinstance(context.events, Telling)
    return context.events.details[step]


@pytest.mark.parametrize(
    "options",
    [
        Options(precopy=True),
        pytest.param(Options(), marks=pytest.mark.nightly),
        pytest.param(Options(lazy=True), marks=pytest.mark.nightly),
        pytest.param(Options(precopy=True, lazy=True), marks=pytest.mark.nightly),
    ],
)
def test_memory_goes_straight(context: Context, options: Options) -> None:
    hop = operations.migrate(context, NAME, "nb", options=options)
    assert told(context, "prepare").endswith("memory goes straight")
    assert hop.bytes_sent > 30_000_000
    expect_right(context, NAME, "nb")


def test_nodes_that_do_not_reach_each_other(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it passes through this host."""
    monkeypatch.setattr(
        Direct, "command", lambda self, word: ["ssh", "-F", "none", "-p", "1", "127.0.0.1", word]
    )
    monkeypatch.setattr("transproc.cluster.direct.START_SECONDS", 0.3)
    operations.migrate(context, NAME, "nb", options=Options(lazy=True))
    assert "memory passes here (" in told(context, "prepare")
    assert "refused" in told(context, "prepare")
    expect_right(context, NAME, "nb")


def test_a_link_that_breaks(machines: NativeNodes, context: Context) -> None:
    """The next one leads through this host, and nothing is lost."""

    def strike() -> None:
        while context.store.load(NAME).state is not State.OWING:
            time.sleep(0.002)
        for pid in tools(machines, "na", "lend"):
            kill(pid)

    striking = threading.Thread(target=strike, daemon=True)
    striking.start()
    operations.migrate(context, NAME, "nb", options=Options(lazy=True))
    striking.join()
    expect_right(context, NAME, "nb")


def test_a_server_for_one_key(context: Context, nodes: dict[str, SshNode]) -> None:
    """The key may start what takes pages and nothing else, and is good for this server alone."""
    source, target = (context.places(context.store.load(NAME), name) for name in ("na", "nb"))
    target.prepare(Path("/bin/true"))
    for place in (source, target):
        place.make_images()
    direct = Direct(source, target)
    try:
        assert nodes["na"].run(direct.command("probe")).stdout == b"reached\n"
        assert nodes["na"].run(direct.command("id"), check=False).stdout == b""
        forwarding = direct.command("probe")
        forwarding[1:1] = ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"]
        assert nodes["na"].run(forwarding, check=False).returncode == 255
        stranger = [word for word in direct.command("probe") if "IdentityFile" not in word]
        assert b"Permission denied" in nodes["na"].run(_without_lone_options(stranger), check=False).stderr
    finally:
        direct.close()
        target.end()
        source.forget_images()
    with pytest.raises(TransprocError):
        nodes["na"].run(direct.command("probe"))
    expect_right(context, NAME, "na")


def _without_lone_options(words: list[str]) -> list[str]:
    return [
        word for word, after in zip(words, [*words[1:], ""], strict=True) if (word, after) != ("-o", "-o")
    ]

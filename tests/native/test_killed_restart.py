# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A restart from a checkpoint whose criu is killed at each of its calls: nothing is left of it, and the checkpoint is good."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes, Setting
from tests.native.performing import begun, context_of, expected
from tests.stepping import FORKS, followed, reader
from transproc.cluster import checkpoints, operations
from transproc.cluster.node import DATA, SshNode, read
from transproc.cluster.operations import Context
from transproc.cluster.watch import wait
from transproc.errors import TransprocError
from transproc.lab.rootfs import host_criu

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME = "steady"
GATED = """\
case $1 in restore) exec {criu} "$@" --config {gate} ;; esac
exec {criu} "$@"
"""


@dataclass
class World:
    """Two nodes whose criu reads from a pipe before it restores, and a checkpoint."""

    context: Context
    nodes: dict[str, SshNode]
    gate: Path
    made: Path

    def strike(self, stop: int | None) -> int:
        """criu is killed at a stop of a restart, or not; how many stops it made. Nothing is left, or the job runs."""
        with ThreadPoolExecutor(1) as others:
            done = others.submit(self._restart)
            status, stops = followed(lambda: reader(self.gate), self.gate, first=FORKS, kill_at=stop)
            said = done.result()
        assert bool(said) == bool(status), (stop, said)
        if said:
            assert self.context.store.names() == [], (stop, said)
            assert [self.left(name) for name in self.nodes] == ["", ""], (stop, stops[-1])
        return len(stops)

    def _restart(self) -> str:
        try:
            operations.restart(self.context, self.made, "nb", name=NAME)
        except TransprocError as error:
            return error.message
        return ""

    def left(self, node: str) -> str:
        """Files and processes of jobs there."""
        script = 'ls -A "$1"; ls -l /proc/[0-9]*/exe | grep "$1" || true'
        return self.nodes[node].output(["sh", "-c", f"{{ {script}; }} 2>/dev/null", "sh", f"{DATA}/jobs"])

    def expect_right(self) -> None:
        """The job comes to its end, and has written each line once."""
        place = self.context.places(self.context.store.load(NAME))
        place.node.run(["touch", f"{place.data}/work/stop"])
        assert wait(self.context.store, NAME, self.context.places, 30).exit == "status 0"
        printed = place.read("stdout").decode()
        assert printed == expected(printed.count("\n") - 1) + "end\n"


@pytest.fixture
def world(steady: Path, tmp_path: Path) -> Iterator[World]:
    if os.getuid() != 0:
        pytest.skip("namespaces need root")
    gate, script = tmp_path / "gate", tmp_path / "criu"
    os.mkfifo(gate)
    script.write_text(GATED.format(criu=shlex.join(host_criu()), gate=gate))
    with NativeNodes(tmp_path / "native", Setting(criu=["sh", str(script)])) as machines:
        nodes = {node.name: node for node in read(machines.configuration)}
        context = context_of(tmp_path / "state", nodes)
        begun(context, NAME, [steady])
        made = operations.checkpoint(context, NAME, tmp_path / "kept", end=True).path
        operations.discard(context, NAME)
        try:
            yield World(context, nodes, gate, made)
        finally:
            for node in nodes.values():
                node.close()


@pytest.mark.parametrize("kills", [4, pytest.param(0, marks=pytest.mark.nightly)], ids=["some", "all"])
def test_a_restart_that_is_killed_at_each_call_of_criu(world: World, kills: int) -> None:
    count = world.strike(None)
    operations.discard(world.context, NAME)
    chosen = range(0, count, max(1, count // kills) if kills else 1)
    for stop in chosen:
        if world.strike(stop) <= stop:  # it has come to its end before
            operations.discard(world.context, NAME)
    checkpoints.verify(checkpoints.read(world.made))
    world.strike(None)
    world.expect_right()
    print("killed", len(chosen))  # pytest -s

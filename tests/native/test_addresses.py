# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jobs that have addresses of their own: their clients stay connected while they move, and nothing is left of them."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.faults import MIGRATE, STEPS
from tests.native.network import ADDRESSES, HOSTS, Clients, Network, criu
from tests.native.nodes import NativeNodes, Setting
from tests.native.performing import NAME, context_of, perform
from transproc.cluster import operations
from transproc.cluster.job import State
from transproc.cluster.look import Liveness
from transproc.cluster.move import Move
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.errors import MigrationError, NodeError, TransprocError
from transproc.process.criu import Options
from transproc.run import output

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

OFTEN = [("dump", True, 0.0), ("restore", True, 0.0), ("resume", False, 0.01)]
STRIKES = [
    pytest.param(strike, marks=[] if strike in OFTEN else [pytest.mark.nightly])
    for step in STEPS[MIGRATE]
    for strike in ((step, True, 0.0), (step, False, 0.01), (step, False, 0.05))
]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    if os.getuid() != 0:
        pytest.skip("networks need root")
    with Network() as network:
        yield network


@pytest.fixture(scope="module")
def machines(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNodes]:
    command = criu()
    if command is None:
        pytest.skip("criu here cannot dump TCP sockets on this kernel; TRANSPROC_TEST_CRIU names one")
    setting = Setting(criu=command, bridges=network.bridges)
    with NativeNodes(tmp_path_factory.mktemp("native"), setting) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("echo.c"), tmp_path_factory.mktemp("programs"))


@pytest.fixture
def context(nodes: dict[str, SshNode], network: Network, echo: Path, tmp_path: Path) -> Iterator[Context]:
    """With a job that listens; in the end nothing is left of its network."""
    context = context_of(tmp_path / "state", nodes)
    operations.run(context, Program([str(echo), *HOSTS]), "na", name=NAME, addresses=ADDRESSES)
    place = context.places(context.store.load(NAME))
    while not place.read("stdout"):
        time.sleep(0.01)
    yield context
    operations.discard(context, NAME)
    network.expect_ports(0)


def test_connections_survive_the_way_there_and_back(context: Context, network: Network) -> None:
    with Clients(network) as clients:
        for node in ("nb", "na"):
            operations.migrate(context, NAME, node)
            assert context.store.load(NAME).node == node
            clients.expect_progress()
    assert clients.silence > 0


def test_a_connection_of_a_job_with_itself(
    nodes: dict[str, SshNode], network: Network, tmp_path: Path
) -> None:
    """What one end has not sent yet must not meet the moment in which the other one is not there."""
    context = context_of(tmp_path / "state", nodes)
    program = compiled(Path(__file__).with_name("talking.c"), tmp_path)
    begin = Program([str(program), HOSTS[0]])
    operations.run(context, begin, "na", name="talking", addresses=ADDRESSES[:1])
    while not (place := context.places(context.store.load("talking"))).read("stdout"):
        time.sleep(0.01)
    try:
        for node in ("nb", "na", "nb"):
            operations.migrate(context, "talking", node)
        place = context.places(context.store.load("talking"))
        place.node.put_bytes(b"", f"{place.data}/work/go")
        assert wait(context.store, "talking", context.places, 30).exit == "status 0", place.read("stderr")
        assert place.read("stdout") == b"filled\nright\n"
    finally:
        operations.discard(context, "talking")
    network.expect_ports(0)


@pytest.mark.parametrize("step", ["transform", "criu_restore", "resume"])
def test_connections_survive_a_migration_that_fails(
    context: Context, network: Network, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """After the dump; when there is a copy on the target, which must vanish unheard; when that would be let go."""
    owner = Move if step == "transform" else Place
    done = getattr(owner, step)

    def fail(self: Move | Place, *words: object, **options: object) -> object:
        if isinstance(self, Place) and self.node.name == "na":
            return done(self, *words, **options)
        if step == "criu_restore":
            done(self, *words, **options)
        raise NodeError("nb", "was lost")

    monkeypatch.setattr(owner, step, fail)
    with Clients(network) as clients:
        with pytest.raises(MigrationError) as caught:
            operations.migrate(context, NAME, "nb")
        assert caught.value.outcome == f"{NAME} runs on na again"
        assert context.store.load(NAME).state is State.RUNNING
        clients.expect_progress()
    network.expect_ports(1)


@pytest.mark.parametrize("strike", STRIKES, ids=str)
def test_connections_survive_a_command_that_is_killed(
    context: Context, machines: NativeNodes, network: Network, strike: tuple[str, bool, float]
) -> None:
    """At the end of a step, or while it is done; `recover` leaves one copy, which is reached."""
    step, after, delay = strike
    here, there = multiprocessing.get_context("spawn").Pipe()
    words = (MIGRATE, context.store.path.parent, machines.configuration, Path(), there)
    process = multiprocessing.get_context("spawn").Process(target=perform, args=words)
    with Clients(network) as clients:
        process.start()
        there.close()
        while here.recv() != (step, after):
            here.send("go on")
        if not after:
            here.send("go on")
        time.sleep(delay)
        process.kill()
        process.join()
        operations.recover(context, NAME)
        job = context.store.load(NAME)
        assert job.state is State.RUNNING
        found = {node: context.places(job, node).found() for node in machines.machines}
        assert found == {node: [job.pid] if node == job.node else [] for node in found}
        clients.expect_progress()
    network.expect_ports(1)


KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 7000), 0.3)
    print("somebody")
except TimeoutError:
    print("nobody")
"""


def test_nobody_answers_while_it_is_dumped(context: Context, network: Network) -> None:
    """Neither with an answer nor with a refusal, which would end connections."""

    def found() -> list[str]:
        return [output(network.inside([sys.executable, "-c", KNOCK, host])).strip() for host in HOSTS]

    assert found() == ["somebody", "somebody"]
    operations.dump(context, NAME)
    assert found() == ["nobody", "nobody"]
    operations.resume(context, NAME)
    assert found() == ["somebody", "somebody"]


def test_a_checkpoint_keeps_the_addresses(
    context: Context, network: Network, nodes: dict[str, SshNode], tmp_path: Path
) -> None:
    """Its connections end, as those of any checkpoint; whoever has the addresses now is not disturbed."""
    directory = tmp_path / "kept"
    with Clients(network) as clients:
        with pytest.raises(TransprocError, match="has opened a TCP connection"):
            operations.checkpoint(context, NAME, directory)
        clients.expect_progress()
    found = operations.checkpoint(context, NAME, directory, options=Options(tcp_close=True))
    with Clients(network):
        with pytest.raises(TransprocError, match=f"is that of job {NAME}"):
            operations.restart(context, found.path, "nb", name="second")
        other = context_of(tmp_path / "other", nodes)
        with pytest.raises(TransprocError, match="is in use by"):
            operations.restart(other, found.path, "nb", name="second")
    operations.kill(context, NAME, remove=True)
    network.expect_ports(0)
    assert operations.restart(context, found.path, "nb").addresses == list(ADDRESSES)
    with Clients(network) as clients:
        operations.migrate(context, NAME, "na")
        clients.expect_progress()


def test_what_nobody_could_reach_is_not_moved(context: Context, network: Network) -> None:
    """Before the process is touched; its clients notice nothing."""
    place = context.places(context.store.load(NAME))
    with Clients(network) as clients:
        network.join(False)
        try:
            with pytest.raises(MigrationError, match=r"is not seen there at 10\.77\.0\.5"):
                operations.migrate(context, NAME, "nb")
        finally:
            network.join(True)
        clients.expect_progress()
    assert place.liveness(context.store.load(NAME).pid) is Liveness.RUNNING


def test_an_address_in_use_is_refused(
    context: Context, network: Network, nodes: dict[str, SshNode], echo: Path, tmp_path: Path
) -> None:
    """By a machine of the network, by the node, by a job of another host, by one of this host."""
    other = context_of(tmp_path / "other", nodes)

    def refused(where: Context, address: str) -> str:
        with pytest.raises(TransprocError) as caught:
            operations.run(where, Program([str(echo), HOSTS[0]]), "nb", name="second", addresses=[address])
        assert "second" not in where.store.names()
        return caught.value.message

    assert "10.77.0.9 is in use by " in refused(other, "10.77.0.9/24")
    assert "fd77::9 is in use by " in refused(other, "fd77::9/64")
    assert "127.0.1.1" not in refused(other, "10.77.0.5/24")
    assert refused(context, "10.77.0.5/16") == f"address 10.77.0.5: is that of job {NAME}"


def test_a_node_without_the_bridge_is_refused(
    context: Context, nodes: dict[str, SshNode], echo: Path
) -> None:
    with_none = {name: SshNode(name, node.address) for name, node in nodes.items()}
    other = context_of(context.store.path.parent, with_none)
    with pytest.raises(MigrationError, match="node nb: has no bridge br0") as caught:
        operations.migrate(other, NAME, "nb")
    assert "was not touched" in caught.value.outcome

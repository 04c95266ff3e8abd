# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`--tcp-close` ends connections that the program has not accepted yet, too: a busy server has one at any moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.network import criu
from tests.native.nodes import NativeNodes, Setting
from tests.native.performing import context_of
from transproc.cluster import operations
from transproc.cluster.node import SshNode, read
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.process.criu import Options

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME = "queued"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[str, SshNode]]:
    command = criu()
    if command is None:
        pytest.skip("criu here cannot dump TCP sockets on this kernel; TRANSPROC_TEST_CRIU names one")
    with NativeNodes(tmp_path / "native", Setting(criu=command)) as machines:
        found = {node.name: node for node in read(machines.configuration)}
        yield found
        for node in found.values():
            node.close()


def test_a_connection_that_was_not_accepted_ends(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    program = compiled(Path(__file__).with_name("queued.c"), tmp_path)
    context = context_of(tmp_path / "state", nodes)
    operations.run(context, Program([str(program)]), "na", name=NAME)
    try:
        place = context.places(context.store.load(NAME))
        while not place.read("stdout"):
            time.sleep(0.01)
        operations.migrate(context, NAME, "nb", options=Options(tcp_close=True))
        place = context.places(context.store.load(NAME))
        place.node.put_bytes(b"", f"{place.data}/work/go")
        assert wait(context.store, NAME, context.places, 30).exit == "status 0"
        assert place.read("stdout") == b"ready\na\n"
    finally:
        operations.discard(context, NAME)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Huge and odd memory moves, as an image and by itself; how long that takes depends on what is touched."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.performing import context_of
from transproc.cluster import operations
from transproc.cluster.node import SshNode
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.process.criu import Options
from transproc.run import output

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME = "odd"
LARGE = [pytest.param(kind, marks=pytest.mark.nightly) for kind in ("mappings", "threads")]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("odd.c"), tmp_path_factory.mktemp("odd"), "-pthread")


@pytest.mark.parametrize("kind", ["sparse", "grows", "locked", *LARGE])
@pytest.mark.parametrize("lazy", [False, True], ids=["plain", "lazy"])
def test_odd_memory(
    nodes: dict[str, SshNode], program: Path, tmp_path: Path, kind: str, *, lazy: bool
) -> None:
    (tmp_path / "go").touch()
    context = context_of(tmp_path / "state", nodes)
    operations.run(context, Program([str(program), kind]), "na", name=NAME)
    try:
        place = context.places(context.store.load(NAME))
        while not place.read("stdout"):
            time.sleep(0.01)
        hop = operations.migrate(context, NAME, "nb", options=Options(lazy=lazy))
        assert hop.bytes_sent < 200 << 20, "what was never touched was sent"
        place = context.places(context.store.load(NAME))
        place.node.put_bytes(b"", f"{place.data}/work/go")
        assert wait(context.store, NAME, context.places, 30).exit == "status 0"
        expected = output(["sh", "-c", f"cd {tmp_path} && {program}.x86_64 {kind}"])
        assert place.read("stdout").decode() == expected
    finally:
        operations.discard(context, NAME)

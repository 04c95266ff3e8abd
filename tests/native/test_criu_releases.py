# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What one release's criu has written another's restores, newer and older, of checkpoints and in migrations.

The kernel is this machine's. With those of both releases, and between the ISAs: `tests/lab/test_releases.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes, Setting
from tests.native.performing import begun, context_of, expected, nodes_of
from transproc.cluster import checkpoints, operations
from transproc.cluster.operations import Context
from transproc.cluster.watch import wait
from transproc.lab.rootfs import SUITES, host_criu

pytestmark = [pytest.mark.native, pytest.mark.toolchain, pytest.mark.nightly]

NAME = "steady"


@contextmanager
def _nodes(directory: Path, suite: str) -> Iterator[Context]:
    with NativeNodes(directory / suite, Setting(criu=host_criu(SUITES[suite]))) as machines:
        nodes = nodes_of(machines.configuration)
        yield context_of(directory / f"state-{suite}", nodes)
        for node in nodes.values():
            node.close()


@pytest.mark.parametrize("writes, restores", [("testing", "stable"), ("stable", "testing")])
def test_a_checkpoint_goes_on_with_another_criu(
    steady: Path, tmp_path: Path, writes: str, restores: str
) -> None:
    """Twice: what was restored is written by that criu, too."""
    with _nodes(tmp_path, writes) as context:
        begun(context, NAME, [steady])
        found = operations.checkpoint(context, NAME, tmp_path / "to", end=True)
        operations.discard(context, NAME)
    with _nodes(tmp_path, restores) as context:
        operations.restart(context, found.path, "nb")
        operations.migrate(context, NAME, "na")
        place = context.places(context.store.load(NAME))
        place.node.run(["touch", f"{place.data}/work/stop"])
        assert wait(context.store, NAME, context.places, 30).exit == "status 0"
        printed = place.read("stdout").decode()
        assert printed == expected(printed.count("\n") - 1) + "end\n"
        operations.discard(context, NAME)
    assert checkpoints.read(found.path).manifest.criu.startswith("4.2" if writes == "testing" else "4.1")

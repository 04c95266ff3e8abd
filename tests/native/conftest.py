# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Native nodes, once for each module, and jobs on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import NativeNodes
from tests.native.served import Served, serving
from transproc.cluster.node import SshNode, read


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNodes]:
    if os.getuid() != 0:
        pytest.skip("namespaces need root")
    with NativeNodes(tmp_path_factory.mktemp("native")) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def nodes(machines: NativeNodes) -> Iterator[dict[str, SshNode]]:
    found = {node.name: node for node in read(machines.configuration)}
    yield found
    for node in found.values():
        node.close()


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints numbers: `counter COUNT MICROSECONDS MEGABYTES [FILE]`; with FILE it waits for that in the end."""
    return compiled(Path(__file__).with_name("counter.c"), tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of the faults (`harness.py`)."""
    return compiled(Path(__file__).with_name("steady.c"), tmp_path_factory.mktemp("programs"), "-pthread")


@pytest.fixture
def served(machines: NativeNodes, nodes: dict[str, SshNode], tmp_path: Path) -> Iterator[Served]:
    with serving(machines, nodes, tmp_path) as made:
        yield made

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Native nodes, once for each module, and jobs on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes
from transproc.cluster.node import SshNode, read
from transproc.run import run


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
    """A program that prints numbers: `counter COUNT MICROSECONDS MEGABYTES`."""
    program = tmp_path_factory.mktemp("programs") / "counter"
    compiler = Path(sys.executable).with_name("transproc-cc")
    run([compiler, "-O2", "-o", program, Path(__file__).with_name("counter.c")])
    return program

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The machines of the lab, once for all tests: of Debian's stable release, or of $TRANSPROC_TEST_SUITE; a module that names
another as its `SUITE` has its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transproc.cluster.node import SshNode, read
from transproc.lab.lab import Lab

Machines = dict[str, SshNode]


@contextmanager
def machines(directory: Path, suite: str | None) -> Iterator[Machines]:
    lab = Lab(directory)
    lab.up(suite=suite)
    found = {node.name: node for node in read(lab.directory / "nodes.toml")}
    yield found
    for node in found.values():
        node.close()
    lab.down()


@pytest.fixture(scope="session")
def stable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with machines(tmp_path_factory.mktemp("lab"), os.environ.get("TRANSPROC_TEST_SUITE")) as found:
        yield found


@pytest.fixture(scope="module")
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    suite = getattr(request.module, "SUITE", None)
    if suite is None:
        yield request.getfixturevalue("stable")
        return
    with machines(tmp_path_factory.mktemp("lab"), suite) as found:
        yield found

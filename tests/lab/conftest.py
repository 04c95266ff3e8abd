# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The machines of the lab, once for each module: of Debian's stable release, of that which a module names as its `SUITE`, or of
$TRANSPROC_TEST_SUITE.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from transproc.cluster.node import SshNode, read
from transproc.lab.lab import Lab


@pytest.fixture(scope="module")
def nodes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, SshNode]]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.up(suite=getattr(request.module, "SUITE", os.environ.get("TRANSPROC_TEST_SUITE")))
    found = {node.name: node for node in read(lab.directory / "nodes.toml")}
    yield found
    for node in found.values():
        node.close()
    lab.down()

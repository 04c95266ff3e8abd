# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The machines of the lab, once for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from transproc.cluster.node import SshNode, read
from transproc.lab.machine import Lab


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SshNode]]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.up()
    found = {node.name: node for node in read(lab.directory / "nodes.toml")}
    yield found
    for node in found.values():
        node.close()
    lab.down()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The machines of the lab, once for all tests: of Debian's stable release, or of $TRANSPROC_TEST_SUITE; a module that names
another as its `SUITE` has its own.

What needs the other ISA, and no second emulated machine, takes this machine for its own ISA, as a native node.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.native.nodes import NAMES, NativeNodes
from transproc.cluster.node import SshNode, read
from transproc.lab.lab import Lab
from transproc.lab.qemu import GUESTS

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


@contextmanager
def this_machine(directory: Path) -> Iterator[Machines]:
    """As a native node by the name of the guest of its ISA; none for who is not root."""
    name = next((guest.node for guest in GUESTS if guest.isa == os.uname().machine), "")
    if os.getuid() != 0 or not name:
        yield {}
        return
    with NativeNodes(directory) as native:
        text = native.configuration.read_text()
        native.configuration.write_text(text.replace(f"[{NAMES[0]}]", f"[{name}]"))
        (node,) = (node for node in read(native.configuration) if node.name == name)
        yield {name: node}
        node.close()


@pytest.fixture(scope="session")
def stable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with machines(tmp_path_factory.mktemp("lab"), os.environ.get("TRANSPROC_TEST_SUITE")) as found:
        yield found


@pytest.fixture(scope="session")
def between_isas(stable: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    if "TRANSPROC_TEST_SUITE" in os.environ:
        yield stable
        return
    with this_machine(tmp_path_factory.mktemp("native")) as found:
        yield stable | found


@pytest.fixture(scope="module")
def guests(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Both emulated."""
    suite = getattr(request.module, "SUITE", None)
    if suite is None:
        yield request.getfixturevalue("stable")
        return
    with machines(tmp_path_factory.mktemp("lab"), suite) as found:
        yield found


@pytest.fixture(scope="module")
def nodes(request: pytest.FixtureRequest) -> Machines:
    """One of each ISA; both emulated if the module names a release."""
    own = getattr(request.module, "SUITE", None) is not None
    found: Machines = request.getfixturevalue("guests" if own else "between_isas")
    return found

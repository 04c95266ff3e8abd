# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests marked `nightly` take hours together: they run only when `-m` names the mark (`make test-all`).

Generated inputs have no deadline: a test must not fail because the machine has other work.

`scripts/check` runs three tests at once: with two, one of two cores would wait for a quarter of the time. What shares a resource
shares a worker. What takes longest in one worker begins first.

A user's own state, nodes and lab are none of the tests' business, whatever variables name them; who needs a lab starts one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

SHARED = {"lab": "the lab", "slurm": "the cluster"}
"""What the tests of a directory share."""
NETWORKS = ("test_addresses", "test_queued", "test_sharing", "test_terminal")
"""Those of native nodes that have addresses in one network, or measure what a link takes."""
FAULTS = "tests/native/test_faults.py"
"""The longest module: faults of a migration in one row, those of the other operations ("operation: fault") in another."""
ORDER = ("lab", "native", "slurm", "integration", "unit/toolchain")
"""Directories, by how long their longest row of tests takes; then all others."""

settings.register_profile("transproc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("transproc")

pytest.register_assert_rewrite(
    "tests.native", "tests.lab", "tests.slurm"
)  # their helpers say what differs, too

for name in ("TRANSPROC_STATE", "TRANSPROC_NODES", "TRANSPROC_LAB"):
    os.environ.pop(name, None)


@pytest.fixture(scope="module", autouse=True)
def own_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lab that `transproc` starts in a test is not the user's, and does not outlive the module: others would see its nodes."""
    from transproc.lab.lab import Lab

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSPROC_LAB", str(tmp_path_factory.mktemp("own-lab")))
        yield
        Lab().down()


class Resources(LoadScopeScheduling):
    """The tests of one scope follow one another in one worker: those of what is shared, else a module's."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        _, directory, *rest = module.split("/")
        name = rest[-1].removesuffix(".py")
        if directory == "native" and name in NETWORKS:
            return "networks"
        if module == FAULTS:
            return f"{module} {': ' in nodeid}"
        return SHARED.get(directory, module)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Resources:
    return Resources(config, log)


def _rank(item: pytest.Item) -> int:
    return next((i for i, part in enumerate(ORDER) if item.nodeid.startswith(f"tests/{part}/")), len(ORDER))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
    if "nightly" in config.option.markexpr:
        return
    left = [item for item in items if item.get_closest_marker("nightly")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]

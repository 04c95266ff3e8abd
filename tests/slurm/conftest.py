# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One cluster for all tests: those of a module submit their jobs at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.slurm.cluster import Cluster, missing
from tests.slurm.jobs import Submitted, outcomes, submitter


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if os.getuid() != 0:
        pytest.skip("Slurm's daemons and namespaces need root")
    if missing():
        pytest.skip(f"Slurm is not installed: there is no {', '.join(missing())}")
    with tempfile.TemporaryDirectory(prefix="transproc-slurm-") as place, Cluster(Path(place)) as found:
        yield found


@pytest.fixture(scope="package")
def counter() -> Iterator[Path]:
    """The program of counter.c, where any user gets at it."""
    with tempfile.TemporaryDirectory(prefix="transproc-slurm-") as place:
        program = compiled(Path(__file__).with_name("counter.c"), Path(place))
        program.parent.chmod(0o755)
        yield program


@pytest.fixture(scope="package")
def submit(cluster: Cluster, counter: Path) -> Callable[..., Submitted]:
    return submitter(cluster, counter)


@pytest.fixture(scope="module")
def outcome(
    request: pytest.FixtureRequest, cluster: Cluster, submit: Callable[..., Submitted]
) -> Iterator[Callable[[str], str]]:
    with outcomes(vars(request.module), cluster, submit) as found:
        yield found

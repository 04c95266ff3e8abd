# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One cluster for all tests: those of a module submit their jobs at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.slurm import accounts
from tests.slurm.cluster import PROGRAMS, Cluster, missing
from tests.slurm.jobs import Submitted, outcomes, submitter


@pytest.fixture(scope="package", params=["alone", pytest.param("accounts", marks=pytest.mark.nightly)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Without accounts, as users try it, and with them, as sites have it."""
    if os.getuid() != 0:
        pytest.skip("Slurm's daemons and namespaces need root")
    has_accounts = request.param == "accounts"
    needed = missing([*PROGRAMS, *(accounts.PROGRAMS if has_accounts else ())])
    if needed:
        pytest.skip(f"Slurm is not installed: there is no {', '.join(needed)}")
    with (
        tempfile.TemporaryDirectory(prefix="transproc-slurm-") as place,
        Cluster(Path(place), has_accounts=has_accounts) as found,
    ):
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

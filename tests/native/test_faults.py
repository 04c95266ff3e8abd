# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kill -9, full disks and lost nodes at every step of migrations, checkpoints and restarts (see `faults.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.faults import Fault, faults, more_faults, report
from tests.native.harness import Harness
from tests.native.nodes import NativeNodes

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


OUTCOMES: list[tuple[Fault, str]] = []


@pytest.fixture(scope="module")
def harness(
    machines: NativeNodes, steady: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    made = Harness(machines, steady, tmp_path_factory.mktemp("faults"))
    yield made
    made.close()
    print(report(OUTCOMES))  # pytest -s; for docs/reliability.md


@pytest.mark.parametrize("fault", faults(), ids=str)
def test_one_copy_goes_on(harness: Harness, fault: Fault) -> None:
    OUTCOMES.append((fault, harness.check(fault)))


@pytest.mark.nightly
@pytest.mark.parametrize("fault", more_faults(), ids=str)
def test_every_step_of_everything(harness: Harness, fault: Fault) -> None:
    OUTCOMES.append((fault, harness.check(fault)))


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 50, 100, 200])
def test_a_start_that_is_killed(harness: Harness, milliseconds: int) -> None:
    harness.check_start(milliseconds / 1000)

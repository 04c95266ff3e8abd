# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kill -9, full disks and lost nodes at every step of migrations, checkpoints and restarts (see `faults.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.faults import PLAN, STEPS, Fault, faults, more_faults
from tests.native.harness import NAME, Harness
from tests.native.nodes import NativeNodes
from tests.native.outcomes import Outcomes, report

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


OUTCOMES = Outcomes()


@pytest.fixture(scope="module")
def harness(
    machines: NativeNodes, steady: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    made = Harness(machines, steady, tmp_path_factory.mktemp("faults"))
    yield made
    made.close()
    print(report(OUTCOMES))  # pytest -s; for docs/reliability.md


@pytest.mark.parametrize("operation", STEPS)
def test_every_step_can_be_struck(harness: Harness, operation: str) -> None:
    """One that is new must be listed; the operation itself is told as a step that has the job's name."""
    told = harness.steps(operation)
    own = [name for name in told if operation == PLAN or NAME not in name]
    assert list(dict.fromkeys(own)) == STEPS[operation]


@pytest.mark.parametrize("fault", faults(), ids=str)
def test_one_copy_goes_on(harness: Harness, fault: Fault) -> None:
    OUTCOMES.add(fault.operation, f"{fault.whom}: {fault.what}", harness.check(fault))


@pytest.mark.nightly
@pytest.mark.parametrize("fault", more_faults(), ids=str)
def test_every_step_of_everything(harness: Harness, fault: Fault) -> None:
    OUTCOMES.add(fault.operation, f"{fault.whom}: {fault.what}", harness.check(fault))


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 50, 100, 200])
def test_a_start_that_is_killed(harness: Harness, milliseconds: int) -> None:
    harness.check_start(milliseconds / 1000)
    OUTCOMES.add("run", "command: killed", "it runs, or nothing of it is left")

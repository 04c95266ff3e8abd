# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kills, full disks and cut networks at the steps of migrations and checkpoints between the ISAs, from either one.

What may be struck within an ISA, and more of it, is struck there (`tests/native/test_faults.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import native
from tests.compiling import compiled
from tests.lab.guests import GuestSite
from tests.native.faults import Fault, between_isas
from tests.native.harness import Harness
from tests.native.outcomes import Outcomes, report
from transproc.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.toolchain, pytest.mark.nightly]

OUTCOMES = Outcomes()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("lab"))
    made.up()
    yield made
    made.down()
    print(report(OUTCOMES))  # pytest -s; for docs/reliability.md


@pytest.fixture(scope="module", params=["arm", "x86"], ids=["from aarch64", "from x86_64"])
def harness(
    request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    directory = tmp_path_factory.mktemp("faults")
    steady = compiled(Path(native.__file__).with_name("steady.c"), directory, "-pthread")
    made = Harness(GuestSite(lab, directory / "site", request.param), steady, directory)
    yield made
    made.close()


@pytest.mark.parametrize("fault", between_isas(), ids=str)
def test_one_copy_goes_on(harness: Harness, fault: Fault) -> None:
    OUTCOMES.add(f"{fault.operation}, between ISAs", f"{fault.whom}: {fault.what}", harness.check(fault))

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kill -9, full disks and lost nodes at every step of migrations, checkpoints and restarts (see `faults.py`).

With TRANSPROC_SHARE=2/3 the nightly ones are the second of three shares, which may run beside each other or one after the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deadline import LateError
from tests.native.faults import PLAN, STEPS, Fault, faults, more_faults
from tests.native.harness import Harness
from tests.native.nodes import NativeNodes, Setting
from tests.native.outcomes import Outcomes, report
from tests.native.performing import NAME
from tests.native.site import NativeSite
from transproc.cluster import criu
from transproc.lab.portable import portable_criu

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


OUTCOMES = Outcomes()
KILLS = 200
IN_A_DUMP = 0.008
"""Seconds: one takes 14 ms on an idle machine."""


def _share(listed: list[Fault]) -> list[Fault]:
    number, of = map(int, os.environ.get("TRANSPROC_SHARE", "1/1").split("/"))
    return listed[number - 1 :: of]


@pytest.fixture(scope="module")
def harness(
    machines: NativeNodes, steady: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    made = Harness(NativeSite(machines), steady, tmp_path_factory.mktemp("faults"))
    yield made
    made.close()
    print(report(OUTCOMES))  # pytest -s; for docs/reliability.md


@pytest.mark.parametrize("operation", STEPS)
def test_every_step_can_be_struck(harness: Harness, operation: str) -> None:
    """One that is new must be listed; the operation itself is told as a step that has the job's name."""
    told = harness.steps(operation)
    own = [name for name in told if operation == PLAN or NAME not in name]
    assert list(dict.fromkeys(own)) == STEPS[operation]


def test_a_standstill_is_a_failure(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "seconds", 10.0)
    with pytest.raises(LateError, match="command stopped at dump: not done after 10 s"):
        harness.check(Fault("stopped", "command", "dump"))


@pytest.mark.parametrize("fault", faults(), ids=str)
def test_one_copy_goes_on(harness: Harness, fault: Fault) -> None:
    OUTCOMES.add(fault.operation, f"{fault.whom}: {fault.what}", harness.check(fault))


@pytest.mark.nightly
@pytest.mark.parametrize("fault", _share(more_faults()), ids=str)
def test_every_step_of_everything(harness: Harness, fault: Fault) -> None:
    OUTCOMES.add(fault.operation, f"{fault.whom}: {fault.what}", harness.check(fault))


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 50, 100, 200])
def test_a_start_that_is_killed(harness: Harness, milliseconds: int) -> None:
    harness.check_start(milliseconds / 1000)
    OUTCOMES.add("run", "command: killed", "it runs, or nothing of it is left")


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["script", "program"])
def test_criu_is_killed_in_a_dump_again_and_again(kind: str, steady: Path, tmp_path: Path) -> None:
    """One and the same program lives on, whether the node's criu is a script or one that was brought."""
    setting = Setting() if kind == "script" else Setting(criu=[])
    with NativeNodes(tmp_path / "nodes", setting) as machines:
        harness = Harness(NativeSite(machines), steady, tmp_path)
        try:
            for node in harness.nodes.values():
                if kind == "program":
                    criu.bring(node, *portable_criu(node.isa))
                assert criu.command(node) == (
                    criu.COMMAND if kind == "program" else ("/usr/local/sbin/criu",)
                )
            became = harness.check_again(Fault("killed", "criu", "dump", delay=IN_A_DUMP), KILLS)
        finally:
            harness.close()
    print(kind, dict(became))  # pytest -s
    # A dump that was quick has ended by then.
    assert became["stayed on the source, and said so"] > KILLS / 4, became

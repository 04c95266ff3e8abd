# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Real programs migrate between real kernels of both ISAs, and nothing differs from an unmigrated run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.manifest import Program
from tests.programs.moving import (
    ALSO_BETWEEN_ISAS,
    BETWEEN_ISAS,
    OF_KERNELS,
    WITHIN_AN_ISA,
    chosen,
    compiled,
    goes_there_and_back,
)
from transproc.cluster.node import SshNode

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

LATEST = 20
"""Even the smallest program has more than twice as many sites."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@chosen(BETWEEN_ISAS, nightly=ALSO_BETWEEN_ISAS | WITHIN_AN_ISA)
def test_a_migrated_run_equals_an_unmigrated_one(
    program: Program, request: pytest.FixtureRequest, built: Path, tmp_path: Path
) -> None:
    machines: dict[str, SshNode] = request.getfixturevalue(
        "guests" if program.name in OF_KERNELS | WITHIN_AN_ISA else "nodes"
    )
    pair = {name: machines[name] for name in ("x86", "arm")}
    goes_there_and_back(program, compiled(program, built), pair, tmp_path, latest=LATEST)

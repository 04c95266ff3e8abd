# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What programs have open moves between the ISAs also with the kernel and the criu of Debian's testing release."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.manifest import Program
from tests.programs.moving import BETWEEN_ISAS, WITHIN_AN_ISA, chosen, compiled, goes_there_and_back
from transproc.cluster.node import SshNode
from transproc.lab.rootfs import SUITES

pytestmark = [pytest.mark.lab, pytest.mark.toolchain, pytest.mark.nightly]

SUITE = SUITES["testing"]
LATEST = 20


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@chosen(BETWEEN_ISAS, nightly=WITHIN_AN_ISA)
def test_a_migrated_run_equals_an_unmigrated_one(
    program: Program, nodes: dict[str, SshNode], built: Path, tmp_path: Path
) -> None:
    pair = {name: nodes[name] for name in ("x86", "arm")}
    goes_there_and_back(program, compiled(program, built), pair, tmp_path, latest=LATEST)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The demonstration that the README promises, as `make demo` starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from transproc.lab.machine import Lab

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]


def test_demo(tmp_path: Path) -> None:
    """A computation moves to the other ISA and back, its lines beside the machine that computed them, and nothing differs."""
    down = [] if any(machine.alive for machine in Lab().status()) else ["--down"]
    command = [Path(sys.executable).with_name("transproc"), "demo", "--steps", "12", *down]
    environment = {**os.environ, "TRANSPROC_STATE": str(tmp_path / "state")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *lines, verdict = done.stdout.splitlines()
    assert re.fullmatch(
        r"identical, with and without 2 migrations: \d+ bytes of output, exit status 0", verdict
    )
    homes = [line.split("│")[0].split() for line in lines]
    route = [home for before, home in zip([None, *homes], homes, strict=False) if home != before]
    assert route == [["x86", "x86_64"], ["arm", "aarch64"], ["x86", "x86_64"]]

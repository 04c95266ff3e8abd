# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The demonstration that the README promises, as `make demo` starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]


def test_demo(tmp_path: Path) -> None:
    """A computation moves to the other ISA and back, its lines beside the machine that computed them, and nothing differs."""
    command = [Path(sys.executable).with_name("transproc"), "demo", "--steps", "12", "--down"]
    environment = {**os.environ, "TRANSPROC_STATE": str(tmp_path / "state")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *lines, verdict = done.stdout.splitlines()
    assert re.fullmatch(
        r"identical, with and without 2 migrations: \d+ bytes of output, exit status 0", verdict
    )
    homes = [line.split("│")[0].split() for line in lines]
    route = [home for before, home in zip([None, *homes], homes, strict=False) if home != before]
    x86, arm = ["x86", "x86_64"], ["arm", "aarch64"]
    # On a busy host the first program can end before it is back: the demonstration says so, and takes a longer one.
    assert route[-3:] == [x86, arm, x86]
    assert len(route) == 3 or "once more" in done.stderr

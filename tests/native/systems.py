# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Systems of nodes that are not this machine's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def busybox(root: Path) -> Path:
    """A system of busybox alone, which says that it is Alpine."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("no busybox here")
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    shutil.copy(program, root / "bin/busybox")
    for name in subprocess.run(
        [program, "--list"], capture_output=True, check=True, text=True
    ).stdout.split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nsshd:x:74:74::/run/sshd:/bin/false\n")
    (root / "etc/os-release").write_text('NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\n')
    return root

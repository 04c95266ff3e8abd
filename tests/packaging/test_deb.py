# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Debian package: what it holds, and that its commands work from a place of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from transproc import __version__, paths

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="makes a Debian package"),
]


def test_a_package_has_its_commands_manual_and_completion(tmp_path: Path) -> None:
    """It downloads what the package holds. Unpacked, not installed: `/opt` and `/usr/bin` of this machine stay as they are."""
    made = subprocess.run(
        [paths.SOURCE / "scripts" / "deb", tmp_path], capture_output=True, text=True, check=True
    )
    package = Path(made.stdout.strip())
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    fields = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True, check=True).stdout
    assert f"Version: {__version__}\n" in fields and "clang-19" in fields
    for name in ("transproc", "transproc-cc", "transproc-c++"):
        assert os.readlink(root / "usr/bin" / name) == f"/opt/transproc/bin/{name}"  # noqa: PTH115
    assert (root / "usr/share/man/man1/transproc-migrate.1.gz").exists()
    assert "complete " in (root / "usr/share/bash-completion/completions/transproc").read_text()
    python = root / "opt/transproc/bin/python"
    done = subprocess.run(
        [python, "-m", "transproc.cli.main", "--version"], capture_output=True, text=True, check=False
    )
    code = "import transproc.paths; print(transproc.paths.SOURCE)"
    where = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert not done.returncode and Path(where.strip()).is_relative_to(root)
    assert (Path(where.strip()) / "runtime" / "tool" / "main.c").exists()

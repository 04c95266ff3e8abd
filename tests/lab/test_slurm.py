# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lab with Slurm: an ordinary user's job moves between partitions of both ISAs (examples/slurm)."""

from __future__ import annotations

from pathlib import Path

import pytest

from transproc.cli import example
from transproc.lab.lab import Lab
from transproc.lab.slurm import SLURM
from transproc.paths import home
from transproc.toolchain import recipe as recipes

pytestmark = [pytest.mark.lab, pytest.mark.toolchain, pytest.mark.nightly]


def test_a_job_moves_to_the_other_isa_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipes.load("slurm")
    tree = recipes.build(recipe)
    for entry in home().iterdir():
        if entry.name not in ("jobs", "lab"):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "images").symlink_to(home() / "lab" / "images")
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
    lab = Lab()
    lab.up(profile=SLURM)
    try:
        result = example.rehearse(
            recipe, recipe.scenarios[0], tree, ["x86", "arm"], hops=None, seed=1, timeout=1800
        )
    finally:
        lab.down()
    assert result["problem"] == ""
    assert result["detail"].startswith("equal: x86, arm, x86")

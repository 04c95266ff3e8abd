# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Software of others, as its authors published it, migrates in the lab while it works: the recipes of examples/.

All are marked nightly: in every run bzip2 moves between native nodes (tests/native/test_software.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from transproc.cli import example
from transproc.cluster.node import SshNode
from transproc.toolchain import recipe as recipes
from transproc.toolchain.recipe import Recipe, Scenario

pytestmark = [pytest.mark.lab, pytest.mark.toolchain, pytest.mark.nightly]

RECIPES = [recipe for recipe in map(recipes.load, recipes.names()) if not recipe.lab]  # see test_slurm.py
SCENARIOS = [(recipe, s) for recipe in RECIPES for s in recipe.scenarios]


@pytest.mark.parametrize(("recipe", "scenario"), SCENARIOS, ids=[f"{r.name}-{s.name}" for r, s in SCENARIOS])
def test_software_migrates_while_it_works(
    recipe: Recipe,
    scenario: Scenario,
    guests: dict[str, SshNode],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree = recipes.build(recipe)
    monkeypatch.setenv("TRANSPROC_LAB", str(guests["x86"].address.key.parent.parent))
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "state"))
    result = example.rehearse(recipe, scenario, tree, ["x86", "arm"], hops=None, seed=1, timeout=1200)
    assert result["problem"] == ""
    assert result["passed"]
    assert scenario.drive or len(result["hops"]) == scenario.hops

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recipes: what a file may hold, and what is wrong with it otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from transproc.errors import CommandError, TransprocError
from transproc.toolchain import recipe as recipes

COMMIT = {"git": "https://example.org/p", "commit": "0" * 40}
SCENARIO = {"name": "s", "run": "bin/prog -x 'a b'"}


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_can_be_read_and_is_explained(name: str) -> None:
    recipe = recipes.load(name)
    names = [scenario.name for scenario in recipe.scenarios]
    assert names and len(set(names)) == len(names)
    assert (recipes.EXAMPLES / name / "README.md").is_file()


def test_program_lies_in_the_tree_that_was_built() -> None:
    table = {"source": "p", "build": "make", "scenario": [SCENARIO]}
    recipe = recipes.parse("p", table, Path("recipe.toml"))
    assert recipe.scenarios[0].argv(Path("/tree")) == ["/tree/bin/prog", "-x", "a b"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"source": "p", "build": "make"}, "has no 'scenario'"),
        ({"source": "p", "scenario": []}, "missing 1 required positional argument: 'build'"),
        ({"scenario": [{**SCENARIO, "hop": 1}]}, "got an unexpected keyword argument 'hop'"),
        ({"build": "", "scenario": [], "source": "p", **COMMIT}, "expected either source or git"),
        ({"scenario": [{"name": "s"}]}, "scenario s: expected either run or drive"),
        ({"scenario": [{**SCENARIO, "drive": "true"}]}, "scenario s: expected either run or drive"),
    ],
)
def test_wrong_recipe(table: dict[str, object], message: str) -> None:
    with pytest.raises(TransprocError) as caught:
        recipes.parse("p", table, Path("recipe.toml"))
    assert caught.value.message == f"recipe.toml: {message}"


def test_unknown_example() -> None:
    with pytest.raises(TransprocError, match="nothing: no such example"):
        recipes.load("nothing")


def test_script_ends_at_its_first_error(tmp_path: Path) -> None:
    recipes.shell('echo "$A" > a; echo b > b', tmp_path, {"A": "1"})
    assert (tmp_path / "a").read_text() == "1\n"
    with pytest.raises(CommandError, match="no such thing"):
        recipes.shell("echo no such thing; false; echo c > c", tmp_path, {})
    assert not (tmp_path / "c").exists()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc example`: what is listed and what is refused before anything is fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from transproc.cli import example, main, trials
from transproc.toolchain import recipe as recipes
from transproc.toolchain.recipe import Recipe, Scenario


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["example"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["EXAMPLE", *recipes.names()]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["nothing"], 1, "transproc: error: nothing: no such example"),
        (["bzip2", "--only", "compress,x"], 2, "x: expected some of compress, decompress"),
    ],
)
def test_refused(words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["example", *words]) == status
    assert message in capsys.readouterr().err


def test_a_script_that_drives_a_server_is_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def drive(script: str) -> dict[str, object]:
        scenario = Scenario("load", drive=script)
        recipe = Recipe("p", "true", (scenario,))
        return example.rehearse(recipe, scenario, tmp_path, ["a", "b"], hops=3, seed=7, timeout=1)

    good = drive('echo first; echo "$HOPS on $NODES, $SEED, $SOURCE"')
    bad = drive("echo a wrong reply; exit 3")
    assert good["passed"] and not bad["passed"]
    with pytest.raises(typer.Exit):
        trials.show([good, bad], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "right" in lines[1] and "FAILED" in lines[2]
    assert f"load: 3 on a,b, 7, {tmp_path}" in lines
    assert "a wrong reply" in "".join(lines[3:])

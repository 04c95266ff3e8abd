# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc example`: what is listed and what is refused before anything is fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from transproc.cli import example, main, trials
from transproc.process import selfmove
from transproc.process.selfmove import Plan, Verdict
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


def test_clients_judge_a_server_that_migrates_onto_itself(tmp_path: Path) -> None:
    """The script is told how to start it; what it says is believed, but something must have been migrated."""

    def verdict(script: str) -> Verdict:
        scenario = Scenario("load", drive=f"$PYTHON -c '{script}'")
        recipe = Recipe("p", "true", (scenario,))
        moments = {"aarch64": Plan(seed=7, rate=100.0, seconds=30)}
        return example.stressed(recipe, scenario, tmp_path, moments, timeout=1)[0]

    told = 'import json, os; told = json.loads(os.environ["ONTO_ITSELF"]); '
    report = selfmove.REPORT.pack(selfmove.MAGIC, 300, 9, 27, 0, 0, b"", *[0] * 8)
    right = f'{told} assert told["isa"] == "aarch64" and told["before"][-1] == "7,10000,30" and os.environ["HOPS"] == "6"; '
    moved = f'{right} open(told["report"], "wb").write({report!r})'.replace("'", '"')
    assert verdict(moved).passed and verdict(moved).frames == 9
    assert not verdict(right).passed
    wrong = verdict(f'{moved}; raise SystemExit("a wrong reply")')
    assert not wrong.passed and "a wrong reply" in wrong.differences[0]

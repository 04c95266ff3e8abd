# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job goes to where it is best, and what was done is told afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.native.nodes import NativeNodes
from transproc.cli import common, main

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


def test_a_job_goes_to_where_it_is_best(
    machines: NativeNodes,
    counter: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    mine = tmp_path / "nodes.toml"
    first, second = machines.configuration.read_text().split("[nb]")
    mine.write_text(f'{first}[nb]{second}labels = ["cheap"]\n[local]\ncapacity = 0\n')
    monkeypatch.setenv("TRANSPROC_NODES", str(mine))
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "state"))

    def said(*words: str) -> Any:
        capfd.readouterr()
        assert main.run([*words, "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    assert main.run(["run", "--node", "na", "--name", "j", "--", str(counter), "100000", "5000", "4"]) == 0
    try:
        expected = said("migrate", "j", "--any", "--dry-run")
        assert (expected["source"], expected["target"]) == ("na", "nb")
        assert expected["memory"] > 4 << 20
        assert expected["others"]["na"] == "it is there"
        assert expected["others"]["local"] == "is full: it takes 0 jobs at once"
        (seen,) = said("top")["jobs"]
        assert (seen["node"], seen["state"], seen["doing"]) == ("na", "running", None)
        assert said("migrate", "j", "--to-label", "cheap")["target"] == "nb"
        (attempt,) = said("history", "j")
        assert (attempt["source"], attempt["target"], attempt["result"]) == ("na", "nb", "done")
        assert [step["name"] for step in attempt["steps"]][:3] == ["preflight", "prepare", "pause"]
        assert said("migrate", "j", "--to", "na", "--dry-run")["basis"].startswith("1 migration of this job")
        capfd.readouterr()
        assert main.run(["migrate", "j", "--to-label", "cheap", "--dry-run"]) == 1
        assert "nb: it is there" in capfd.readouterr().err
        for words in (["history"], ["history", "j"], ["top", "--once"]):
            assert main.run(words) == 0
            assert "nb" in capfd.readouterr().out
    finally:
        main.run(["kill", "--remove", "j"])
        common.host().close()

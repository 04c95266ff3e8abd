# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program of others, as its authors published it, moves within this ISA while it works: `transproc example bzip2`.

Between the ISAs it does so by night, with all others (tests/lab/test_software.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes
from transproc.cli import main

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


def test_software_migrates_while_it_works(
    machines: NativeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRANSPROC_NODES", str(machines.configuration))
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "state"))
    words = ["example", "bzip2", "--only", "compress", "--nodes", "na,nb", "--hops", "3", "--json"]
    assert main.run(words) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["passed"] and result["problem"] == ""
    assert [hop["target"] for hop in result["hops"]] == ["nb", "na", "nb"]

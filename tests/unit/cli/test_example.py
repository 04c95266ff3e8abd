"""`transproc example`: what is listed and what is refused before anything is fetched."""

from __future__ import annotations

import pytest

from transproc.cli import main
from transproc.toolchain import recipe as recipes


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

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Man pages made of the help: one for each command, and troff that groff takes without a warning."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from transproc.cli import manual
from transproc.cli.commands import COMMANDS


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("share")
    manual.write(place)
    return place


def test_every_command_has_a_page(share: Path) -> None:
    names = {path.name for path in (share / "man" / "man1").iterdir()}
    assert names == {"transproc.1", "transproc-cc.1", *(f"transproc-{name}.1" for name in COMMANDS)}


def test_a_page_says_what_help_says(share: Path) -> None:
    page = (share / "man" / "man1" / "transproc-migrate.1").read_text()
    assert r"transproc\-migrate \- move a running job to another node" in page
    assert "\\fB\\-\\-to NODE\\fR\nWhere it goes." in page
    assert r"  transproc migrate nbody \-\-to arm" in page


def test_text_is_never_a_request() -> None:
    lines = manual._paragraphs("one\n.two\n'three\n\n\b\n.four  a\\b")
    assert lines == [".PP", "one", r"\&.two", r"\&'three", ".PP", ".nf", r"\&.four  a\eb", ".fi"]


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_takes_every_page(share: Path) -> None:
    pages = sorted((share / "man" / "man1").iterdir())
    done = subprocess.run(
        ["groff", "-man", "-Kutf8", "-ww", "-Tutf8", "-z", *pages], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_shells_get_completions(share: Path) -> None:
    for place in manual.COMPLETIONS.values():
        assert "_TRANSPROC_COMPLETE" in (share / place).read_text()
    bash = share / manual.COMPLETIONS["bash"]
    subprocess.run(["bash", "-n", bash], check=True)

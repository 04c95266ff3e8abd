# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc bench`: its two commands, and the suite that the second one compiles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transproc.binary.pair import pair_of
from transproc.cli import main, npb
from transproc.errors import TransprocError
from transproc.run import run

PROGRAM = """\
#include <stdio.h>
void wtime(double *t);
int main(void) { double a, b; wtime(&a); wtime(&b); printf("%g\\n", b - a); return 0; }
"""
MAKEFILE = """\
include ../config/make.def
all:
	$(CC) $(CFLAGS) $(C_INC) -c -o ep.o ep.c
	$(CC) $(CFLAGS) -c -o wtime.o ../common/$(WTIME)
	$(CLINK) $(CLINKFLAGS) -o $(BINDIR)/ep.$(CLASS).x ep.o wtime.o $(C_LIB)
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of one program, laid out as NPB3.3-SER-C is."""
    root = tmp_path / "suite"
    files = {
        "EP/ep.c": PROGRAM,
        "EP/Makefile": MAKEFILE,
        "IS/Makefile": "all:\n\t@echo 'is.c:1: error: broken' >&2; exit 1\n",
        "sys/setparams.c": "",
        "common/wtime.h": "",
        "config/make.def.template": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.toolchain
def test_suite_is_compiled_in_a_copy(suite: Path, tmp_path: Path) -> None:
    before = sorted(suite.rglob("*"))
    good, bad = npb.build(suite, tmp_path / "work", "S")
    assert sorted(suite.rglob("*")) == before
    assert good.name == "EP" and good.binary is not None
    assert bad == npb.Outcome("IS", None, "not compiled: is.c:1: error: broken")
    pair = pair_of(good.binary)
    pair.verify()
    printed = run([pair[os.uname().machine].path]).stdout
    assert printed == b"1\n", "the clock counts its calls"


@pytest.mark.toolchain
def test_only_chosen_programs(suite: Path, tmp_path: Path) -> None:
    assert [made.name for made in npb.build(suite, tmp_path / "work", "S", {"EP", "UA"})] == ["EP"]


def test_not_a_suite(tmp_path: Path) -> None:
    with pytest.raises(TransprocError, match=r"is not a directory of NPB3\.3-SER-C"):
        next(npb.build(tmp_path, tmp_path / "work", "S"))


def test_unknown_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["bench", "npb", "--src", str(tmp_path), "--class", "Z"]) == 2
    assert "expected one of S, W, A, B, C" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["prog"], ["--hops", "2", "prog"], ["migrate", "prog"], ["--", "prog"]])
def test_program_without_the_word_migrate(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path / "prog") if word == "prog" else word for word in words]
    assert main.run(["bench", *words]) == 1
    assert f"{tmp_path}/prog" in capsys.readouterr().err

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs in C have an unwinder if something in them wants one, wherever that is, and C++'s run time is made for no others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.toolchain.test_driver import bare, cc

pytestmark = pytest.mark.toolchain

CLEANUPS = """
#include <stdio.h>
static void clean(int *n) { printf("cleanup %d\\n", *n); }
void through(void (*f)(void)) { __attribute__((cleanup(clean))) int kept = 1; f(); }
"""
CALLER = """
#include <stdio.h>
void through(void (*)(void));
static void f(void) { puts("f"); }
int main(void) { through(f); return 0; }
"""
DIRECT = """
#include <unwind.h>
static struct _Unwind_Exception e;
int main(void) { return _Unwind_RaiseException(&e) != _URC_END_OF_STACK; }
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "cleanups.c").write_text(CLEANUPS)
    assert cc("-O2", "-fexceptions", "-c", "cleanups.c", cwd=tmp_path).returncode == 0
    return tmp_path


@pytest.mark.parametrize("kind", ["crT", "cr"])
def test_cleanups_of_a_member(place: Path, kind: str) -> None:
    """A thin archive has no bytes of its members: `undefined symbol: _Unwind_Resume`."""
    (place / "main.c").write_text(CALLER)
    subprocess.run(["ar", kind, "all.a", "cleanups.o"], cwd=place, check=True)
    assert cc("main.c", "all.a", "-o", "prog", cwd=place).stderr == ""
    done = subprocess.run([place / "prog"], check=True, capture_output=True)
    assert done.stdout == b"f\ncleanup 1\n"


def test_who_calls_it(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(DIRECT)
    assert cc("main.c", "-o", "prog", cwd=tmp_path).stderr == ""
    subprocess.run([tmp_path / "prog"], check=True)


def test_a_member_that_nobody_takes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It made C++'s run time be compiled, if that had not been before."""
    own = bare(place / "toolchain", monkeypatch)
    (place / "main.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["ar", "cr", "all.a", "cleanups.o"], cwd=place, check=True)
    assert cc("main.c", "all.a", "-o", "prog", cwd=place).stderr == ""
    subprocess.run([place / "prog"], check=True)
    assert not list(own.glob("c++*"))

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fortran by Debian's flang: called from C, and in migrations onto itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from transproc.errors import CompileError, UnsupportedError
from transproc.isa import ALL
from transproc.process.selfmove import Plan, Work, runner, stress
from transproc.toolchain import fortran
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = [
    pytest.mark.toolchain,
    pytest.mark.skipif(not shutil.which(fortran.FLANG), reason="flang-19 is not installed"),
]
PROGRAMS = Path(__file__).parents[1] / "programs" / "fortran"


def transproc_cc(*words: str | Path) -> None:
    execute(parse([str(word) for word in words]), toolchain())


@pytest.fixture(scope="module")
def sieve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module in Fortran and a program in C, compiled apart, as make does."""
    place = tmp_path_factory.mktemp("sieve")
    transproc_cc("-O2", "-c", PROGRAMS / "sieve.f90", "-J", place, "-o", place / "sieve.o")
    assert (place / "sieves.mod").exists()
    transproc_cc("-O2", place / "sieve.o", PROGRAMS / "main.c", "-o", place / "sieve")
    return place / "sieve"


def reference(place: Path, rounds: str) -> bytes:
    """What the compilers of this machine make of it."""
    objects = [place / "sieve.o", place / "main.o"]
    module = ["-module-dir", place]
    subprocess.run(
        [fortran.FLANG, "-O2", *module, "-c", PROGRAMS / "sieve.f90", "-o", objects[0]], check=True
    )
    subprocess.run(["clang-19", "-O2", "-c", PROGRAMS / "main.c", "-o", objects[1]], check=True)
    subprocess.run(["clang-19", *objects, "-o", place / "reference"], check=True)
    return subprocess.run([place / "reference", rounds], check=True, capture_output=True).stdout


@pytest.mark.parametrize("isa", [isa.name for isa in ALL])
def test_fortran_computes_and_migrates(sieve: Path, tmp_path: Path, isa: str) -> None:
    native = isa == os.uname().machine
    rounds, rate = ("4000", 5000.0) if native else ("300", 200.0)
    done = subprocess.run([*runner(isa), f"{sieve}.{isa}", rounds], check=True, capture_output=True)
    assert done.stdout == reference(tmp_path, rounds)
    verdict = stress(Work(sieve, [rounds], timeout=300), isa, Plan(7, rate, 3))
    assert verdict.passed, verdict
    assert verdict.migrations > 5


def test_what_is_wrong_is_said_by_flang(tmp_path: Path) -> None:
    source = tmp_path / "wrong.f90"
    source.write_text("program wrong\n  integer :: i\n  i = 'text'\nend program\n")
    with pytest.raises(CompileError, match=r"wrong\.f90:3:"):
        transproc_cc("-c", source, "-o", tmp_path / "wrong.o")
    assert not (tmp_path / "wrong.o").exists()


def test_a_type_of_one_machine_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "long.f90"
    source.write_text("subroutine twice(x)\n  real(10) :: x\n  x = x * 2\nend subroutine\n")
    with pytest.raises(CompileError, match=r"long\.f90:2:.*KIND=10"):
        transproc_cc("-c", source, "-o", tmp_path / "long.o")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            "subroutine f(a)\n  real :: a\n  !$omp target map(tofrom: a)\n  a = a + 1\n  !$omp end target\nend subroutine\n",
            r"in function 'f_': error: OpenMP's target: ",
        ),
        (
            "module m\n  real :: a(9)\n  !$omp declare target(a)\nend module\n",
            r"'_QMmEa': error: OpenMP's declare target: ",
        ),
    ],
)
def test_what_is_refused_is_so_with_the_name_of_its_file(tmp_path: Path, text: str, where: str) -> None:
    """The name that flang gives its modules stood there: FIRModule."""
    source = tmp_path / "device.f90"
    source.write_text(text)
    with pytest.raises(CompileError, match=rf"(?m)^{source}: {where}there is no other device"):
        transproc_cc("-fopenmp", "-J", tmp_path, "-c", source, "-o", tmp_path / "device.o")


def test_what_only_flang_does_is_refused(tmp_path: Path) -> None:
    for option in ("-E", "-S", "-fsyntax-only", "-MD"):
        with pytest.raises(UnsupportedError, match=r"sieve\.f90: Fortran is compiled"):
            transproc_cc("-c", option, PROGRAMS / "sieve.f90", "-o", tmp_path / "a")

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The test programs themselves: their manifest is complete, and all compilers make the same of each.

What they are for, migrations, is tested elsewhere; a program whose output depended on the compiler or on the run
would make those tests worthless.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs.manifest import CFLAGS, DIRECTORY, LIBRARIES, Program, programs

EXAMPLES = Path(__file__).parents[3] / "examples"
TAGS = {
    "files",
    "fork",
    "fp",
    "gcc",
    "kernel",
    "memory",
    "npb",
    "pipes",
    "privileges",
    "setjmp",
    "signals",
    "threads",
    "timed",
}
SLOW_ALSO_WHEN_SMALL = {"npb-ep"}  # class S, the smallest there is, takes a second

ALL = programs()
ANYWHERE = [program for program in ALL if "privileges" not in program.tags]


def _build(source: Path, executable: Path, compiler: str, *options: str) -> Path:
    if not executable.exists():
        command = [compiler, *options, *CFLAGS, "-Wall", "-Wextra", "-Wno-psabi", "-Werror"]
        command += [str(source), "-o", str(executable), *LIBRARIES]
        subprocess.run(command, check=True)
    return executable


def _run(program: Program, executable: Path, directory: Path) -> str:
    done = subprocess.run(
        [str(executable), *program.arguments("smoke")],
        input=program.stdin,
        env={**os.environ, **program.environment},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Executables are shared by the programs of one source."""
    return tmp_path_factory.mktemp("programs")


def test_names_are_unique() -> None:
    names = [program.name for program in ALL]
    assert len(set(names)) == len(names)


def test_every_source_is_listed() -> None:
    # stress/ has programs of another kind: they run in the stress harness only; those of openmp/ are compiled with -fopenmp,
    # fortran/ is called from Fortran, cxx/ from C++, shake/ is one program, made to be shaken, weak/ and linking/ are of several
    # objects.
    others = {"stress", "openmp", "fortran", "shake", "weak", "linking", "cxx"}
    sources = {path for path in DIRECTORY.rglob("*.c") if not others & set(path.relative_to(DIRECTORY).parts)}
    assert {program.source for program in ALL} == sources


def test_only_known_tags() -> None:
    assert set().union(*(program.tags for program in ALL)) == TAGS


def test_every_blocking_mode_is_listed() -> None:
    modes = set(re.findall(r'^    \{"(\w+)", block_', (DIRECTORY / "blocked.c").read_text(), re.MULTILINE))
    listed = {program.smoke[0] for program in ALL if program.source.stem == "blocked"}
    assert modes and listed == modes


def test_no_assembly() -> None:
    sources = [*DIRECTORY.glob("*.[ch]"), *DIRECTORY.glob("npb/*.[ch]"), *EXAMPLES.rglob("*.c")]
    for source in sources:
        assert "asm" not in re.findall(r"\w+", source.read_text().replace("__asm__", "asm")), source


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no second compiler to compare with")
@pytest.mark.parametrize("program", ANYWHERE, ids=lambda program: program.name)
def test_compilers_agree(program: Program, builds: Path, tmp_path: Path) -> None:
    name, source = program.name, program.source
    if name in SLOW_ALSO_WHEN_SMALL:
        pytest.skip("too slow for a unit test")
    plain = _build(source, builds / f"{source.stem}-gcc-O0", "gcc", "-O0")
    output = _run(program, plain, tmp_path)
    if "gcc" in program.tags:
        other = _build(source, builds / f"{source.stem}-gcc-O2", "gcc", "-O2")
    else:
        other = _build(source, builds / f"{source.stem}-clang-O2", "clang-19", "-O2")
    assert _run(program, other, tmp_path) == output
    assert "checksum" in output or "VERIFICATION SUCCESSFUL" in output


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler")
def test_a_failed_check_ends_the_program(tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text(
        f'#include "{DIRECTORY / "program.h"}"\n'
        'int main(void) { CHECK(opaque(1) == 2); return finish("wrong", next_random(&(uint64_t){1})); }\n'
    )
    program = _build(source, tmp_path / "wrong", "gcc", "-O2", "-Wno-unused-function")
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("FAILED wrong.c:2: opaque(1) == 2")

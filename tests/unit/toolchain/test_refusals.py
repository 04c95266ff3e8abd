# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What of the languages is left out is refused by the compilers as users call them, with its line and a remedy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.toolchain.test_driver import bare, cc
from transproc.toolchain import compile as compiling
from transproc.toolchain import front, sysroot
from transproc.toolchain.options import parse

pytestmark = pytest.mark.toolchain
PROGRAMS = Path(__file__).parents[2] / "programs" / "openmp"
NO_DEVICE = "OpenMP's target: there is no other device"
NO_MODULES = "note: C++ modules are not supported: include headers\n"


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("target", f"a.c:3: error: {NO_DEVICE}"),
        ("target teams distribute parallel for if(0)", f"a.c:3: error: {NO_DEVICE}"),
        ("target data map(tofrom: a)", f"a.c:3: error: {NO_DEVICE}"),
        ("target enter data map(to: a)", f"a.c:3: error: {NO_DEVICE}"),
        ("target update from(a) nowait", f"a.c:3: error: {NO_DEVICE}"),
    ],
)
def test_openmp_for_other_devices(tmp_path: Path, directive: str, message: str) -> None:
    """Without a word they ran on the processor, or meant nothing."""
    (tmp_path / "a.c").write_text(
        f"int a[9];\nint f(void) {{\n#pragma omp {directive}\n  for (int i = 0; i < 9; i++) a[i]++;\n  return a[0]; }}\n"
    )
    for level in ("-O0", "-O2"):
        done = cc("-fopenmp", level, "-g0", "-c", "a.c", cwd=tmp_path)
        assert (done.returncode, done.stderr.count("error: ")) == (1, 1)
    done = cc("-fopenmp", "-c", "a.c", cwd=tmp_path)
    assert f"{message}\nnote: leave it out, or compile without -fopenmp\n" in done.stderr
    assert not (tmp_path / "a.o").exists()
    assert cc("-c", "a.c", cwd=tmp_path).returncode == 0


def test_openmp_variables_on_other_devices(tmp_path: Path) -> None:
    source = tmp_path / "a.cpp"
    text = "namespace n { int table[9]; }\n#pragma omp declare target to(n::table)\nint *f() { return n::table; }\n"
    source.write_text(text)
    done = cc("-fopenmp", "-c", "a.cpp", cwd=tmp_path)
    assert done.returncode == 1
    assert "a.cpp: 'n::table': error: OpenMP's declare target: there is no other device\n" in done.stderr
    source.write_text("#pragma omp declare target\nint f() { return 1; }\n#pragma omp end declare target\n")
    assert cc("-fopenmp", "-c", "a.cpp", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "export module x;\nexport int f() { return 1; }\n",
        "module;\n#include <stdio.h>\nmodule x;\n",
        "module x:part;\n",
        "import std;\nint main() {}\n",
        "import <vector>;\nint main() {}\n",
        "export import x.y;\n",
        "import :part;\n",
        "module :private;\n",
        "module x [[deprecated]];\n",
    ],
)
@pytest.mark.parametrize("words", [("-c",), ("-fsyntax-only",), ("-std=c++17", "-c")])
def test_modules(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """An interface was compiled, though nobody could import it; who imports was told only that it is not found."""
    (tmp_path / "a.cpp").write_text(text)
    done = cc("-std=c++20", *words, "a.cpp", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count(NO_MODULES) == 1


def test_words_of_modules_are_names(tmp_path: Path) -> None:
    (tmp_path / "a.cpp").write_text(
        "struct import { int module; };\nint f(import &x) { return x.module; }\nint g;\n"
    )
    done = cc("-std=c++20", "-Wall", "-Werror", "-c", "a.cpp", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "a.cpp").write_text("int module;\nint f() {\n  module = none;\n  return module; }\n")
    done = cc("-std=c++20", "-c", "a.cpp", cwd=tmp_path)
    assert done.returncode == 1
    assert NO_MODULES not in done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.c", "importer x;\n"),
        ("a.c", "module_count;\n"),
        ("a.c", "important_value;\n"),
        ("a.c", "module *m;\n"),
        ("a.cpp", "struct module { module(int); };\nmodule m;\n"),
        ("a.c", "module m;\nimport i;\n"),
        ("a.cpp", "importer x;\nmodule_count;\nmodule *m;\n"),
        ("a.cpp", "void f() {\n  module m;\n}\n"),
    ],
)
@pytest.mark.parametrize("mode", ["-c", "-fsyntax-only"])
def test_an_error_that_has_nothing_to_do_with_modules(
    tmp_path: Path, name: str, text: str, mode: str
) -> None:
    (tmp_path / name).write_text(text)
    done = cc(mode, name, cwd=tmp_path)
    assert (done.returncode, "error: " in done.stderr) == (1, True)
    assert NO_MODULES not in done.stderr


@pytest.mark.parametrize("mode", ["-c", "-fsyntax-only"])
def test_modules_in_colours(tmp_path: Path, mode: str) -> None:
    """As CMake asks for them: errors showed `\\x1b[1m` where compiling, and colours with -fsyntax-only."""
    (tmp_path / "a.cpp").write_text("import std;\n")
    done = cc("-fdiagnostics-color=always", mode, "a.cpp", cwd=tmp_path)
    assert "\x1b[" in done.stderr
    assert "\\x1b" not in done.stderr
    assert done.stderr.count(NO_MODULES) == 1


def test_openmp_is_compiled_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who compiles wants omp.h; the library, half a minute of compiling, is for who links."""
    own = bare(tmp_path / "toolchain", monkeypatch)
    (tmp_path / "a.c").write_text("#include <omp.h>\nint f(void) { return omp_get_max_threads(); }\n")
    for mode in ("-c", "-E", "-fsyntax-only"):
        done = cc("-fopenmp", mode, "a.c", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert [path.name.rpartition("-")[0] for path in own.glob("openmp*")] == ["openmp-headers"]


@pytest.mark.parametrize("name", ["regions.c", "nested.cpp"])
def test_openmp_for_processors_is_the_same_code(tmp_path: Path, name: str) -> None:
    """That clang is told of a device shows in nothing else."""
    options = front.options_for(
        parse(["-O2", "-fopenmp"], cxx=name.endswith("pp")),
        sysroot.toolchain(),
        "c++" if name.endswith("pp") else "c",
    )
    words = compiling.front_end_words(str(PROGRAMS / name), str(tmp_path / "with"), options)
    assert words.count("-fopenmp-targets=x86_64-linux-musl") == 1
    without = [str(tmp_path / "without") if word == words[-2] else word for word in words]
    place = without.index("-fopenmp-targets=x86_64-linux-musl")
    for command in (words, [*without[: place - 1], *without[place + 1 :]]):
        subprocess.run(command, check=True)
    assert (tmp_path / "with").read_bytes() == (tmp_path / "without").read_bytes()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time to compile large files of others, and small ones: transproc-cc and transproc-c++, for both ISAs, against clang for one."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.runtime import quartiles
from tests.benchmarks.workloads import COMPILER, LEVEL
from transproc import log
from transproc.paths import digest, home
from transproc.run import run
from transproc.toolchain import recipe as recipes
from transproc.toolchain.compile import CLANG
from transproc.toolchain.cxx import library
from transproc.toolchain.recipe import Recipe
from transproc.toolchain.sysroot import toolchain

CLANGXX = "clang++-19"
SMALL = """#include <stdio.h>
#include <stdlib.h>

static long sum(const long *values, int n) {
  long total = 0;
  for (int i = 0; i < n; i++)
    total += values[i];
  return total;
}

int main(int argc, char **argv) {
  long *values = calloc(argc, sizeof *values);
  for (int i = 1; i < argc; i++)
    values[i] = atol(argv[i]);
  printf("%ld\\n", sum(values, argc));
  return 0;
}
"""


@dataclass(frozen=True)
class Project:
    """Sources whose build configures and generates, but does not compile what is measured."""

    recipe: Recipe
    options: Sequence[str]
    files: Sequence[str]
    """The largest ones that it compiles; of C++, also usual ones."""
    cxx: bool = False


PROJECTS = (
    Project(
        Recipe(
            "compiling-sqlite",
            source="sqlite3",
            scenarios=(),
            build="CC=cc AR= RANLIB= ./configure --disable-shared --disable-tcl --disable-readline\n"
            "make sqlite3.c shell.c",
        ),
        ("-I.", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION"),
        ("sqlite3.c", "shell.c"),
    ),
    Project(
        Recipe(
            "compiling-libevent",
            source="libevent",
            scenarios=(),
            build="./configure --disable-openssl --disable-shared\nmake include/event2/event-config.h",
        ),
        ("-g", "-I.", "-Iinclude", "-Icompat", "-Itest", "-DHAVE_CONFIG_H"),
        ("test/regress_http.c", "evdns.c", "http.c"),
    ),
    Project(
        Recipe(
            "compiling-python",
            source="python3.11",
            suite="bookworm",
            scenarios=(),
            build="./configure --disable-shared --without-ensurepip --disable-test-modules PKG_CONFIG=false",
        ),
        ("-I.", "-IInclude", "-IInclude/internal", "-DPy_BUILD_CORE", "-fwrapv", '-DPLATLIBDIR="lib"'),
        (
            "Parser/parser.c",
            "Objects/unicodeobject.c",
            "Modules/posixmodule.c",
            "Python/ceval.c",
            "Python/compile.c",
        ),
    ),
    Project(
        Recipe(
            "compiling-postgresql",
            source="postgresql-15",
            suite="bookworm",
            scenarios=(),
            build="./configure --host=x86_64-linux-musl --without-readline --without-zlib --without-icu\n"
            "make -C src/backend generated-headers\nmake -C src/backend/parser gram.c\n"
            # names of this directory, which gets another one
            "find src/include -type l | while read file; do cp --remove-destination $(readlink -f $file) $file; done",
        ),
        (
            "-Isrc/include",
            "-Isrc/backend/parser",
            "-Isrc/interfaces/libpq",
            "-fno-strict-aliasing",
            "-fwrapv",
        ),
        (
            "src/backend/parser/gram.c",
            "src/backend/commands/tablecmds.c",
            "src/backend/utils/adt/ruleutils.c",
            "src/backend/optimizer/plan/createplan.c",
        ),
    ),
    Project(
        Recipe(
            "compiling-leveldb",
            source="leveldb",
            scenarios=(),
            build="cmake -DCMAKE_CXX_COMPILER=c++ -DLEVELDB_BUILD_TESTS=OFF -DLEVELDB_BUILD_BENCHMARKS=OFF -S . -B build",
        ),
        ("-std=c++17", "-I.", "-Iinclude", "-Ibuild/include", "-DLEVELDB_PLATFORM_POSIX=1"),
        ("db/version_set.cc", "db/db_impl.cc", "util/env_posix.cc"),
        cxx=True,
    ),
    Project(
        Recipe(
            "compiling-lammps",
            source="lammps",
            scenarios=(),
            build="cmake -DCMAKE_CXX_COMPILER=c++ -DBUILD_MPI=OFF -DBUILD_OMP=OFF -S cmake -B build\n"
            "cmake --build build --target gitversion",
        ),
        ("-std=c++17", "-Isrc", "-Isrc/STUBS", "-Ibuild/styles", "-DLAMMPS_SMALLBIG"),
        ("src/variable.cpp", "src/atom_vec.cpp", "src/pair_lj_cut.cpp", "src/lammps.cpp"),
        cxx=True,
    ),
)


@dataclass
class Compilation:
    """One file's figures; ratios are both ISAs by us / one by clang."""

    name: str
    clang: float
    """Seconds of processor time, user and system."""
    transproc: float
    ratio: float
    spread: tuple[float, float]
    """Quartiles of the pairs' ratios."""
    wall: float
    """Ratio of the time that passes, in which the ISAs share a machine's processors."""


def measure(directory: Path, *, pairs: int, only: Sequence[str] = ()) -> list[Compilation]:
    """Compiles each file with both in turn; `only` are parts of files' names. Wants all trees before it measures."""
    chosen = [
        (project, file)
        for project in PROJECTS
        for file in project.files
        if not only or any(word in f"{project.recipe.name}/{file}" for word in only)
    ]
    trees = {project.recipe.name: _tree(project.recipe) for project, _ in chosen}
    compiled = ["-c", "-o", str(directory / "compiled.o")]
    found = [
        _measure(
            f"{project.recipe.source}/{file}",
            trees[project.recipe.name],
            [*project.options, file, *compiled],
            pairs,
            cxx=project.cxx,
        )
        for project, file in chosen
    ]
    if not only or "small" in only:
        (directory / "small.c").write_text(SMALL)
        linked = ["-o", str(directory / "compiled")]
        _seconds([COMPILER, LEVEL, "-w", "small.c", *compiled], directory)  # leaves a plan
        found += [
            _measure("ten lines", directory, ["small.c", *compiled], 4 * pairs),
            _measure("ten lines, linked", directory, ["small.c", *linked], 4 * pairs),
        ]
    return found


def _tree(recipe: Recipe) -> Path:
    """Configured sources: what was found does not depend on the compiler's version, and to find it takes minutes."""
    link = home() / "examples" / f"{recipe.name}-{digest([], recipe.build, recipe.suite)}"
    if not link.is_dir():
        built = recipes.build(recipe)
        link.unlink(missing_ok=True)
        link.symlink_to(built)
    return link


def _measure(name: str, tree: Path, words: Sequence[str], pairs: int, *, cxx: bool = False) -> Compilation:
    """The same headers for both if nothing is linked, since what a file includes is part of what there is to compile."""
    headers = ["--target=x86_64-linux-musl", "-nostdlibinc", "-isystem", str(toolchain().include)]
    if cxx:
        headers = [*library(toolchain()).front_end, *headers]
    clang = [CLANGXX if cxx else CLANG, LEVEL, "-w", *(headers if "-c" in words else ["-static"]), *words]
    ours = [COMPILER.removesuffix("cc") + "c++" if cxx else COMPILER, LEVEL, "-w", *words]
    with log.step(f"compile {name}") as step:
        rounds = [(_seconds(ours, tree), _seconds(clang, tree)) for _ in range(pairs)]
        ratios = [a[0] / b[0] for a, b in rounds]
        result = Compilation(
            name,
            statistics.median(b[0] for _, b in rounds),
            statistics.median(a[0] for a, _ in rounds),
            statistics.median(ratios),
            quartiles(ratios),
            statistics.median(a[1] / b[1] for a, b in rounds),
        )
        step.detail = f"{result.ratio:.2f}"
    return result


def _seconds(words: list[str], tree: Path) -> tuple[float, float]:
    """Processor time of a command and of what it runs, and the time that passes."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run(words, cwd=tree)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, end - begin

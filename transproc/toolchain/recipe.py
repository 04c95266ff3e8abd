# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recipes: software that others wrote, compiled with transproc-cc as it is, and what to do with it.

A recipe is `examples/NAME/recipe.toml`:

    source = "bzip2"                # Debian's name of the source package; what is compiled is the authors' own archive.
                                    # Without it: what lies beside the recipe, or one commit of a repository:
    git = "https://github.com/…"    # in place of source: what is compiled is this commit, whoever serves it
    commit = "d5fad6bd09…"          # all 40 digits of its name
    path = "src/AMG"                # of its tree only this directory
    lab = "slurm"                   # what the lab's machines must have beyond the usual (transproc lab up --with)
    suite = "bookworm"              # Debian's release that has it, if not trixie
    with = ["zlib"]                 # further source packages, in directories of these names in the tree
    build = "make CC=$CC bzip2"     # shell, in a copy of the source; CC, CXX, AR, RANLIB, MAKEFLAGS, EXAMPLE are set

    [[scenario]]
    name = "compress"
    prepare = "cp $SOURCE/*.c ."    # shell, in the empty directory that becomes the program's working directory
    run = "./bzip2 -k bzip2.c"      # the program, by its path in the source tree, and its arguments
    stdin = "script"                # a prepared file; without it standard input is empty
    hops = 4                        # migrations, at random moments of the run
    varying = "in [0-9.]+ s"        # pattern of what any two runs print differently, which is not compared
    ignore = "*.log"                # pattern of the names of files that any two runs write differently, likewise
    status = 1                      # with which it ends, if that is not 0
    check = "cmp work/a work/b"     # shell, where the migrated run left `work`, `stdout` and `stderr`: fails if they are wrong

    [[scenario]]
    name = "load"                   # of a server, which never ends by itself
    drive = "$PYTHON $EXAMPLE/a.py" # shell that starts, migrates and judges it: `$NODES`, `$HOPS`, `$SEED` say how
    onto_itself = true              # with `--stress`, too: `$ONTO_ITSELF` says how it starts here (examples/servers.py)

    [[benchmark]]                   # for `scripts/bench software`
    program = "bzip2"               # whose size is measured
    prepare = "cp $SOURCE/*.c ."
    run = "$SOURCE/bzip2 -k bzip2.c"  # shell whose processes' CPU time is measured

`$SOURCE` is the tree in which `build` ran, `$EXAMPLE` the recipe's directory. Only build, and a scenario's
name and run or drive, must be given; `env` is a table of variables.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transproc import log
from transproc.errors import CommandError, TransprocError
from transproc.paths import SOURCE, digest, home
from transproc.run import run
from transproc.toolchain import debian
from transproc.toolchain.making import publish
from transproc.toolchain.repository import Commit
from transproc.toolchain.sysroot import toolchain

EXAMPLES = SOURCE / "examples"
COMPILER = "transproc-cc"


@dataclass(frozen=True)
class Scenario:
    """One run of one of the programs."""

    name: str
    run: str = ""
    drive: str = ""
    onto_itself: bool = False
    prepare: str = "true"
    stdin: str | None = None
    hops: int = 4
    check: str = "true"
    varying: str = ""
    ignore: str = ""
    status: int = 0
    env: Mapping[str, str] = field(default_factory=dict)

    def argv(self, tree: Path) -> list[str]:
        """The program, which lies in the tree that was built, and its arguments."""
        program, *arguments = shlex.split(self.run)
        return [str(tree / program), *arguments]


@dataclass(frozen=True)
class Benchmark:
    """Work for a program in which it spends some seconds; `count`: the arguments of a shorter run, to count instructions."""

    program: str
    run: str
    prepare: str = "true"
    count: str = ""


@dataclass(frozen=True)
class Recipe:
    """A program of others: where it comes from, how it is compiled, what it is to do."""

    name: str
    build: str
    scenarios: tuple[Scenario, ...]
    source: str = ""
    repository: Commit | None = None
    libraries: tuple[str, ...] = ()
    suite: str = debian.SUITE
    benchmarks: tuple[Benchmark, ...] = ()
    lab: str = ""

    def environment(self, tree: Path) -> dict[str, str]:
        """What the scripts of its scenarios find."""
        return {"SOURCE": str(tree), "EXAMPLE": str(EXAMPLES / self.name)}


def names() -> list[str]:
    """All examples that have a recipe."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/recipe.toml"))


def load(name: str) -> Recipe:
    """Reads an example's recipe. Raises `TransprocError` if there is none, or it has unknown or missing fields."""
    path = EXAMPLES / name / "recipe.toml"
    if name not in names():
        raise TransprocError(f"{name}: no such example", hint=f"there are {', '.join(names())}")
    return parse(name, tomllib.loads(path.read_text()), path)


def parse(name: str, table: dict[str, Any], path: Path) -> Recipe:
    """A recipe from the contents of its file."""
    try:
        scenarios = tuple(Scenario(**entry) for entry in table.pop("scenario"))
        if wrong := [scenario.name for scenario in scenarios if bool(scenario.run) == bool(scenario.drive)]:
            raise TransprocError(f"{path}: scenario {wrong[0]}: expected either run or drive")
        benchmarks = tuple(Benchmark(**entry) for entry in table.pop("benchmark", ()))
        libraries = tuple(table.pop("with", ()))
        where: dict[str, str] = {word: table.pop(word) for word in ("git", "commit", "path") if word in table}
        repository = Commit.parse(where) if where else None
        if repository and "source" in table:
            raise TransprocError(f"{path}: expected either source or git")
        return Recipe(
            name,
            scenarios=scenarios,
            benchmarks=benchmarks,
            libraries=libraries,
            repository=repository,
            **table,
        )
    except KeyError as error:
        raise TransprocError(f"{path}: has no {error}") from error
    except TypeError as error:
        raise TransprocError(f"{path}: {str(error).partition('() ')[2].partition('. Did')[0]}") from error


def build(recipe: Recipe, compiler: str = COMPILER, *, place: str | None = None) -> Path:
    """Fetches and compiles, unless that was done; returns the tree. Raises `CommandError` with the last lines of the build.

    `place`: where a recipe's repository is fetched from instead of its own address.
    """
    sources = {
        where: debian.source(package, recipe.suite)
        for where, package in ((".", recipe.source), *((name, name) for name in recipe.libraries))
        if package
    }
    if recipe.repository:
        sources["."] = recipe.repository.directory(place)
    beside = EXAMPLES / recipe.name
    files = sorted(beside.iterdir()) if beside.is_dir() else []
    used = [path for path in files if path.name in recipe.build or "." not in sources]
    key = digest(used, recipe.build, compiler, *map(str, sources.values()), str(toolchain().root))
    tree = home() / "examples" / f"{recipe.name}-{key}"
    if not tree.is_dir():
        publish(tree, lambda work: _build(recipe, sources, compiler, work))
    return tree


def _build(recipe: Recipe, sources: Mapping[str, Path], compiler: str, work: Path) -> None:
    with log.step(f"compile {recipe.name}"):
        for place, source in sources.items():
            # With its times: what is generated stays newer than what it is made of.
            shutil.copytree(source, work / place, symlinks=True, dirs_exist_ok=True)
        if "." not in sources:
            shutil.copytree(EXAMPLES / recipe.name, work, dirs_exist_ok=True)
        environment = {
            "CC": compiler,
            "CXX": "transproc-c++" if compiler == COMPILER else "c++",
            "AR": "ar",
            "RANLIB": "ranlib",
            "EXAMPLE": str(EXAMPLES / recipe.name),
            "MAKEFLAGS": f"-j{os.cpu_count() or 1}",
        }
        shell(recipe.build, work, environment)


def shell(script: str, directory: Path, environment: Mapping[str, str]) -> str:
    """Runs a script of a recipe, which ends at its first error; transproc's own programs are found first.

    Returns what it printed; raises `CommandError` with the end of that.
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = ["sh", "-euc", script]
    done = run(words, cwd=directory, env={**os.environ, "PATH": path, **environment}, check=False)
    if done.returncode:
        text = (done.stdout[-2000:] + done.stderr[-2000:]).decode(errors="replace")
        raise CommandError(words, done.returncode, text)
    return done.stdout.decode(errors="replace")

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs that a plan starts: their binaries as a start wants them, and the places where they may be stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from transproc.automation.plans import check
from transproc.automation.plans.model import Plan, Program
from transproc.automation.plans.reading import Problem
from transproc.binary.pair import Pair
from transproc.cluster import start
from transproc.cluster.start import address_of
from transproc.errors import TransprocError
from transproc.isa import ALL
from transproc.scratch import Scratch


@contextmanager
def ready(program: Program, *, with_files: bool = True) -> Iterator[start.Program]:
    """A program to be started. Raises `TransprocError` if it is not one of transproc-cc's.

    The first implementation kept a pair in `bin/` by other names, and its program ran among the plan's own files: inside, there
    are links and copies as a start wants them.
    """
    if program.path is None:
        raise TransprocError(f"{program.name}: the plan does not say which program it is")
    with Scratch() as work:
        path = _linked(program, work) if program.pair else program.path
        files = program.files if with_files else None
        if files is not None and program.leave_out:
            files = work / "files"
            shutil.copytree(
                program.files or work, files, symlinks=True, ignore=lambda _, names: _left_out(program, names)
            )
        found = start.Program([str(path), *program.arguments], program.stdin, files, dict(program.env))
        found.pair()
        yield found


def _linked(program: Program, work: Path) -> Path:
    if missing := check.missing_binaries(program.pair):
        raise TransprocError(f"{missing[0]}: no such file", hint="the other half of the pair is there")
    path = work / (program.path or Path(program.name)).name
    for isa, binary in program.pair:
        path.with_name(f"{path.name}.{isa}").symlink_to(binary)
    return path


def _left_out(program: Program, names: list[str]) -> list[str]:
    """Not the program's: what belongs to the plan, and images of earlier runs."""
    return [name for name in names if name in program.leave_out or name.endswith((".img", ".plan.toml"))]


def look(plan: Plan, nodes: Mapping[str, str], isas: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the programs of a plan, and with the places where it wants to stop them."""
    found = []
    stops = check.stops(plan)
    for program in plan.jobs.values():
        if program.path is None:
            continue
        try:
            with ready(program, with_files=False) as what:
                for line, where, on in stops.get(program.name, []):
                    found += _stop(what.pair(), line, where, isas.get(nodes.get(on or "", "")))
        except TransprocError as error:
            found.append(Problem(program.line, error.message, error.hint))
        except (OSError, shutil.Error) as error:
            found.append(Problem(program.line, f"the files of {program.name} cannot be read: {error}"))
    return found


def _stop(pair: Pair, line: int, where: str, isa: str | None) -> list[Problem]:
    """Where it is not known on which ISA a program will be then, either will do."""
    problems = []
    for name in [isa] if isa else [isa.name for isa in ALL]:
        try:
            address_of(pair[name].path, check.address(where))
        except TransprocError as error:
            problems.append(Problem(line, error.message, error.hint))
    expected = 1 if isa else len(ALL)
    return problems[:1] if len(problems) == expected else []

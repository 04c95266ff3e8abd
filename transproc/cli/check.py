# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc check`: whether the two halves of a program, an object or a library agree."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from transproc.binary import compare
from transproc.binary.compare import Report
from transproc.binary.demangle import readable
from transproc.cli import common, options
from transproc.toolchain import leaves, objects
from transproc.toolchain.sysroot import toolchain


def check(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A program, object or archive, as transproc-cc wrote it.", show_default=False
        ),
    ],
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Compares the halves of a program, object or archive: functions, sites and live values must be the same.

    Of a program also the addresses; of an object also that no call without a site can reach one, and that no handler of an
    exception is lost. Lists the functions during which a thread cannot be migrated, and why. Exits with 1 if the halves disagree.

    \b
    Examples:
      transproc check ./nbody
      transproc check libphysics.a
    """
    report = _report(file)
    if as_json:
        common.show_json({**dataclasses.asdict(report), "agrees": report.agrees})
    else:
        _show(str(file), report)
    if not report.agrees:
        raise typer.Exit(1)


def _report(file: Path) -> Report:
    if objects.is_object(file):
        return objects.check(file, leaves.known(toolchain(), of_cxx=objects.is_of_cxx(file)))
    return compare.check(file)


def _show(name: str, report: Report) -> None:
    found = dataclasses.asdict(report)
    rows = [(key.replace("_", " "), value) for key, value in found.items() if isinstance(value, int)]
    common.table(rows, (name, "agrees" if report.agrees else "DISAGREES"))
    lines = [f"not migratable while it runs: {name} {why}" for name, why in report.not_migratable.items()]
    for line in readable([*lines, *report.problems]):
        typer.echo(line)


app = common.application(check)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stress of a finished program: it runs once as it is, and once under transproc-self, which migrates its threads onto themselves.

Of a server there is only the second run, whose clients say what is right.

Nothing is compiled or linked again: transproc-self (`runtime/self/`) loads the very binary that users get. The ISA that this
machine lacks is run by qemu-user. Both runs must agree in output, errors, exit status and files, byte for byte.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from transproc.binary.pair import pair_of
from transproc.errors import CommandError, TransprocError
from transproc.process.build import build_self
from transproc.run import run
from transproc.scratch import Scratch

REPORT = struct.Struct("<8s5Q96s8Q")
"""struct report of runtime/self/self.h."""
MAGIC = b"TPSELF01"
TIMED_OUT = 124
OUTPUT, ERRORS = "standard output", "standard error"


@dataclass(frozen=True)
class Plan:
    """How to stress: `rate` migrations a second on average, for `seconds`; the rest of the run is left alone."""

    seed: int
    rate: float
    seconds: int

    @property
    def settings(self) -> str:
        """What transproc-self reads: seed, microseconds between migrations, seconds."""
        return f"{self.seed},{max(1, round(1e6 / self.rate))},{self.seconds}"


@dataclass(frozen=True)
class Work:
    """What is run: arguments, standard input, the directory whose copy is the working directory, variables.

    What any two runs do differently is not compared: of what is printed what matches `varying`, and files whose names
    match `ignore`. `check` looks at the run that was moved, and raises `TransprocError` if that is wrong.
    """

    program: Path
    arguments: Sequence[str] = ()
    stdin: bytes = b""
    files: Path | None = None
    timeout: float = 600.0
    env: Mapping[str, str] = field(default_factory=dict)
    varying: str = ""
    ignore: str = ""
    check: Callable[[Run], None] = lambda run: None


@dataclass
class Verdict:
    """The result on one ISA. `recent`: addresses of the functions that migrated last, the newest first."""

    isa: str
    migrations: int = 0
    frames: int = 0
    values: int = 0
    refused: int = 0
    culprit: int = 0
    recent: list[int] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def passed(self) -> bool:
        """Something was migrated, and nothing differs."""
        return self.migrations > 0 and not self.differences


@dataclass(frozen=True)
class Run:
    """What a run left: its status, and by their names its files (None: not a regular one), with `OUTPUT` and `ERRORS`."""

    status: int
    files: dict[str, bytes | None]


def runner(isa: str) -> list[str]:
    """What comes before a program of an ISA on this machine."""
    return [] if isa == os.uname().machine else [f"qemu-{isa}"]


def stress(work: Work, isa: str, plan: Plan) -> Verdict:
    """Runs the pair's program of one ISA without and with migrations.

    Raises `MismatchError` or `UnsupportedError` if it is no pair, `CommandError` if it cannot be started.
    """
    program = pair_of(work.program).binaries[isa].path.resolve()
    verdict = Verdict(isa)
    with Scratch() as place:
        plain = _execute(work, [*runner(isa), program], place / "plain")
        with _reported(verdict, place / "report") as report:
            words: list[str | Path] = [*_before(isa, plan), program, report, program]
            moved = _execute(work, words, place / "moved")
        verdict.differences = _differences(work, plain, moved)
        if not verdict.differences:
            _check(work, moved, verdict)
        elif _differences(work, plain, _execute(work, [*runner(isa), program], place / "again")):
            verdict.note = "two runs without migrations differ as well: the program cannot be compared"
    return verdict


def drive(isa: str, plan: Plan, how: Callable[[dict[str, Any]], None]) -> Verdict:
    """Of a server, whose clients know what is right: `how` starts it and raises `CommandError` if anything is wrong.

    It is told the ISA's name (`isa`), the words `before` the program's own (which are its name, `report`, and its name once
    more), and where the report goes.
    """
    verdict = Verdict(isa)
    with Scratch() as place, _reported(verdict, place / "report") as report:
        try:
            how({"isa": isa, "before": _before(isa, plan), "report": str(report)})
        except CommandError as error:
            verdict.differences.append(error.message)
    if verdict.migrations < plan.seconds and not verdict.differences:
        verdict.differences.append(f"hardly migrated: {verdict.migrations} times")
    return verdict


def _before(isa: str, plan: Plan) -> list[str]:
    """The words before the program's name, the report's, and the program's own words."""
    return [*runner(isa), str(build_self(isa)), plan.settings]


@contextmanager
def _reported(verdict: Verdict, report: Path) -> Iterator[Path]:
    """The file that transproc-self writes to meanwhile; the verdict says afterwards what is in it."""
    report.write_bytes(bytes(REPORT.size))
    yield report
    _read_report(verdict, report.read_bytes())


def _check(work: Work, moved: Run, verdict: Verdict) -> None:
    try:
        work.check(moved)
    except TransprocError as error:
        verdict.differences.append(error.message)


def _execute(work: Work, words: Sequence[str | Path], place: Path) -> Run:
    if work.files:
        shutil.copytree(work.files, place, symlinks=True)
    else:
        place.mkdir()
    try:
        done = run(
            [*words, *work.arguments],
            cwd=place,
            env={**os.environ, **work.env},
            stdin=work.stdin,
            timeout=work.timeout,
            check=False,
        )
    except CommandError as error:
        if error.status != TIMED_OUT:
            raise
        return Run(TIMED_OUT, {})
    files: dict[str, bytes | None] = {OUTPUT: done.stdout, ERRORS: done.stderr}
    for path in sorted(place.rglob("*")):
        regular = path.is_file() and not path.is_symlink()
        files[str(path.relative_to(place))] = path.read_bytes() if regular else None
    return Run(done.returncode, files)


def _read_report(verdict: Verdict, data: bytes) -> None:
    magic, migrations, frames, values, refused, culprit, message, *recent = REPORT.unpack(data)
    if magic != MAGIC:
        verdict.differences.append("the stressed program did not start")
    verdict.migrations, verdict.frames, verdict.values = migrations, frames, values
    verdict.refused, verdict.culprit = refused, culprit
    verdict.note = message.rstrip(b"\0").decode(errors="replace")
    count = min(migrations, len(recent))
    verdict.recent = [recent[(migrations - 1 - i) % len(recent)] for i in range(count)]


def _differences(work: Work, plain: Run, moved: Run) -> list[str]:
    """What is not equal, by name."""
    if TIMED_OUT == moved.status != plain.status:
        return ["it did not end in time"]
    out = [] if plain.status == moved.status else [f"exit status: {plain.status} against {moved.status}"]
    one, other = _compared(work, plain), _compared(work, moved)
    return out + [
        f"{name} differs"
        for name in sorted(one.keys() | other.keys())
        if one.get(name, ...) != other.get(name, ...)
    ]


def _compared(work: Work, run: Run) -> dict[str, bytes | None]:
    """Its files, without what varies."""
    files = {name: data for name, data in run.files.items() if not fnmatch(name, work.ignore)}
    for stream in (OUTPUT, ERRORS):
        if work.varying and stream in files:
            files[stream] = re.sub(work.varying.encode(), b"", files[stream] or b"")
    return files

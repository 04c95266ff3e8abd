# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a run has left behind, and how two runs differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from transproc.cluster.job import Job
from transproc.cluster.place import Place
from transproc.scratch import Scratch

EXCERPT_BYTES = 200
EXCERPT_LINES = 3
"""What is shown of two files that differ, from the first difference on."""


@dataclass
class Outcome:
    """What a run left behind; `files` by relative path, directories as None, links as their target."""

    exit: str
    seconds: float
    files: dict[str, bytes | str | None]

    def difference(self, other: Outcome) -> list[str]:
        """What is not equal, by name."""
        names = [] if self.exit == other.exit else [f"exit status: {self.exit} against {other.exit}"]
        for path in sorted(self.files.keys() | other.files.keys()):
            mine, theirs = self.files.get(path, ...), other.files.get(path, ...)
            if mine != theirs:
                names.append(_describe(path, mine, theirs))
        return names

    def without(self, varying: str, ignore: str = "") -> Outcome:
        """This, but for what differs in any two runs, as times and dates.

        That is the matches of a pattern in what it has printed, and files whose names in the working directory match the other.
        """
        files = {path: data for path, data in self.files.items() if not fnmatch(path, f"work/{ignore}")}
        for stream in ("stdout", "stderr"):
            printed = files.get(stream)
            if varying and isinstance(printed, bytes):
                files[stream] = re.sub(varying.encode(), b"", printed)
        return replace(self, files=files)


def outcome_of(place: Place, job: Job, seconds: float) -> Outcome:
    """What an ended job left behind."""
    with Scratch() as work:
        here = work / "data"
        place.node.get(place.data, here)
        return Outcome(job.exit or "", seconds, read_tree(here))


def read_tree(directory: Path) -> dict[str, bytes | str | None]:
    """All files of a directory by relative path."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        found[name] = (
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        )
    return found


def write_tree(files: Mapping[str, bytes | str | None], directory: Path) -> None:
    """The reverse of `read_tree`; makes the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, contents in files.items():  # a directory comes before what is in it
        path = directory / name
        if contents is None:
            path.mkdir(exist_ok=True)
        elif isinstance(contents, str):
            path.symlink_to(contents)
        else:
            path.write_bytes(contents)


def _describe(path: str, mine: object, theirs: object) -> str:
    if mine is ... or theirs is ...:
        return f"{path}: only in the run {'with' if mine is ... else 'without'} migrations"
    if not isinstance(mine, bytes) or not isinstance(theirs, bytes):
        return f"{path}: of another kind"
    at = next(
        (i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs))
    )
    line = mine[:at].count(b"\n") + 1
    head = f"{path}: differs from byte {at} (line {line}) on; {len(mine)} and {len(theirs)} bytes"
    return "\n".join([head, *_excerpt(mine, theirs, at)])


def _excerpt(mine: bytes, theirs: bytes, at: int) -> list[str]:
    """Around the first difference: lines of text, or bytes in hexadecimal."""
    sides = []
    for sign, data in (("-", mine), ("+", theirs)):
        begin = data.rfind(b"\n", 0, at) + 1
        lines = data[begin : at + EXCERPT_BYTES].splitlines()[:EXCERPT_LINES]
        if at - begin > EXCERPT_BYTES or not all(_is_text(text) for text in lines):
            near = max(0, at - 4) // 4 * 4
            lines = [f"{near:#x}: {data[near : near + 16].hex(' ', 4)}".encode()]
        sides += [f"  {sign}{text.decode()}" for text in lines]
    return sides


def _is_text(line: bytes) -> bool:
    try:
        return line.decode().isprintable() or b"\t" in line
    except UnicodeDecodeError:
        return False

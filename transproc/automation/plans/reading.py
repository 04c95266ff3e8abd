# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What both formats share in being read: limits, types, and all that is wrong at once, with line numbers.

A plan is its user's file, but may come from anywhere: nothing in it is taken before its type and size are known.
"""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transproc.automation import parcel
from transproc.automation.plans import lines
from transproc.cluster import duration
from transproc.cluster.job import check_name
from transproc.errors import FormatError, TransprocError

LARGEST_FILE = 1 << 20
LONGEST_TEXT = 2048
LONGEST_NAME = 255
"""Bytes of a file's name (NAME_MAX of limits.h)."""
LARGEST_COUNT = 1_000_000_000
MOST_STEPS = 10_000
"""Steps that a plan may have when every sequence is written out where it is named."""

Where = tuple[str | int, ...]
Table = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Something wrong at a line of a plan, or, as a `note`, something that its author may not have meant."""

    line: int
    message: str
    hint: str | None = None
    note: bool = False

    def __str__(self) -> str:
        return f"line {self.line}: {'note: ' if self.note else ''}{self.message}" + (
            f" ({self.hint})" if self.hint else ""
        )


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By line; what is said twice of one, once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.message))


class PlanError(FormatError):
    """A plan that cannot be carried out; `problems`: all that is wrong."""

    def __init__(self, path: Path, problems: Collection[Problem]) -> None:
        wrong = in_order(problem for problem in problems if not problem.note)
        self.problems = wrong
        head = "cannot be carried out" if len(wrong) == 1 else f"{len(wrong)} things are wrong"
        super().__init__("\n  ".join([f"{head}:", *map(str, wrong)]), path=path)


@dataclass(frozen=True)
class Source:
    """A file's contents, and the line of each value; `parts`: where the files are that it names, if it came with them."""

    path: Path
    text: str
    data: Table
    lines: Mapping[Where, int]
    parts: Mapping[str, Path] | None = None


def load(path: Path) -> Source:
    """Reads a file as its name's ending says, `.json` or `.toml`; a directory means its config.json, or plan.toml.

    Raises `FormatError`, or `TransprocError` if there is no such file.
    """
    if path.is_dir():
        names = [path / "config.json", path / "plan.toml"]
        path = next((name for name in names if name.exists()), names[0])
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise TransprocError(
            f"{path}: {error.strerror}", hint="name a plan (.toml), a config.json, or the directory of one"
        ) from error
    if len(raw) > LARGEST_FILE:
        raise FormatError(f"is larger than {LARGEST_FILE} bytes", path=path)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"is not UTF-8: byte {error.start}", path=path) from error
    return parse(path, text, parcel.names(path.parent))


def parse(path: Path, text: str, parts: Mapping[str, Path] | None = None) -> Source:
    """As `load`, of a text that is there already."""
    try:
        if path.suffix == ".json":
            data = json.loads(text, parse_constant=_refuse)
            found = lines.json_lines(text)
        elif path.suffix == ".toml":
            text = text.replace("\r\n", "\n")  # as tomllib reads it
            data = tomllib.loads(text)
            found = lines.toml_lines(text)
        else:
            raise FormatError(
                f"is of no known kind: {path.suffix or 'no ending'}",
                path=path,
                hint="expected .toml or .json",
            )
    except json.JSONDecodeError as error:
        raise FormatError(f"line {error.lineno}: not valid JSON: {error.msg}", path=path) from error
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"not valid TOML: {error}", path=path) from error
    except ValueError as error:  # a number of thousands of digits, NaN
        raise FormatError(f"not valid: {error}", path=path) from error
    except RecursionError:
        raise FormatError(f"is nested deeper than {lines.DEEPEST} levels", path=path) from None
    if not isinstance(data, dict):
        raise FormatError("expected a table at the top", path=path)
    return Source(path, text, data, found, parts)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")


class Reader:
    """Takes values out of a source; what is wrong with one becomes a problem, and the value None."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.named: dict[str, Path] = {}
        """What the file calls files that are read, and which those are."""

    def line(self, where: Where) -> int:
        """Of a value, or of the nearest one around it."""
        while where not in self.source.lines:
            where = where[:-1]
        return self.source.lines[where]

    def wrong(self, where: Where, message: str, hint: str | None = None) -> None:
        """Something that must be mended."""
        self.problems.append(Problem(self.line(where), message, hint))

    def note(self, where: Where, message: str) -> None:
        """Something that its author should know."""
        self.problems.append(Problem(self.line(where), message, note=True))

    def finish(self) -> None:
        """Raises `PlanError` if something is wrong."""
        if any(not problem.note for problem in self.problems):
            raise PlanError(self.source.path, self.problems)

    def unknown(self, table: Table, where: Where, known: Collection[str]) -> None:
        """Keys that mean nothing: a misspelt one must not be passed over."""
        for key in table.keys() - set(known):
            near = _near(key, known)
            self.wrong(
                (*where, key), f"unknown key {shown(key)}", near or f"expected {', '.join(sorted(known))}"
            )

    def table(self, table: Table, key: str, where: Where, *, required: bool = False) -> Table:
        """A table; an empty one if there is none."""
        value = self._get(table, key, where, required=required)
        if value is not None and not isinstance(value, dict):
            self.wrong((*where, key), f"{key} cannot be {shown(value)}, expected a table")
            return {}
        return value or {}

    def array(self, table: Table, key: str, where: Where, *, required: bool = False) -> list[Any]:
        """A list; an empty one if there is none."""
        value = self._get(table, key, where, required=required)
        if value is not None and not isinstance(value, list):
            self.wrong((*where, key), f"{key} cannot be {shown(value)}, expected a list")
            return []
        return value or []

    def text(self, table: Table, key: str, where: Where, *, required: bool = False) -> str | None:
        """Words without control characters, at most `LONGEST_TEXT`."""
        return self.words(self._get(table, key, where, required=required), key, (*where, key))

    def words(self, value: Any, key: str, where: Where) -> str | None:
        """As `text`, of a value."""
        if value is None:
            return None
        good = isinstance(value, str) and value and len(value) <= LONGEST_TEXT
        if not good or not (
            value.isprintable() or (key in ("command", "arguments", "env") and "\0" not in value)
        ):
            self.wrong(where, f"{key} cannot be {shown(value)}, expected some words")
            return None
        return str(value)

    def number(self, table: Table, key: str, where: Where, *, required: bool = False) -> int | None:
        """A whole number."""
        value = self._get(table, key, where, required=required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_COUNT:
            self.wrong((*where, key), f"{key} cannot be {shown(value)}, expected a whole number")
            return None
        return value

    def flag(self, table: Table, key: str, where: Where) -> bool:
        """True or false, by default false."""
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.wrong((*where, key), f"{key} cannot be {shown(value)}, expected true or false")
            return False
        return value

    def time(self, table: Table, key: str, where: Where) -> float | None:
        """Seconds: a number of them, or a duration in words."""
        value = table.get(key)
        if value is None:
            return None
        try:
            if isinstance(value, str):
                return duration.seconds(value)
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                return duration.seconds(f"{value:.3f}")
        except TransprocError as error:
            self.wrong((*where, key), f"{key}: {error.message}", error.hint)
            return None
        self.wrong((*where, key), f'{key} cannot be {shown(value)}, expected a duration such as "10m"')
        return None

    def job_name(self, name: Any, where: Where) -> str | None:
        """A valid name for a job."""
        try:
            check_name(name if isinstance(name, str) else shown(name))
        except TransprocError as error:
            self.wrong(where, error.message, error.hint)
            return None
        return str(name)

    def file(self, table: Table, key: str, where: Where) -> Path | None:
        """A path, relative to the plan's directory. Whether it is there is looked at when the plan is checked."""
        name = self.text(table, key, where)
        if name is None:
            return None
        if self.source.parts is not None:
            if name not in self.source.parts:
                self.wrong((*where, key), f"{key}: {shown(name)} is not among what was sent")
            return self.source.parts.get(name)
        path = self._path(name, key, where)
        if path is not None:
            self.named[name] = path
        return path

    def directory(self, table: Table, key: str, where: Where) -> Path | None:
        """The path of what is written."""
        name = self.text(table, key, where)
        if name is None:
            return None
        if self.source.parts is not None and not name.startswith("/"):
            self.wrong(
                (*where, key),
                f"{key} cannot be {shown(name)}",
                "it is on the controller's host: a whole path",
            )
            return None
        return self._path(name, key, where)

    def _path(self, name: str, key: str, where: Where) -> Path | None:
        try:
            path = (self.source.path.parent / Path(name).expanduser()).absolute()
        except RuntimeError as error:  # a home of nobody
            self.wrong((*where, key), f"{key}: {shown(name)}: {error}")
            return None
        if max(len(os.fsencode(part)) for part in path.parts) > LONGEST_NAME:
            self.wrong((*where, key), f"{key}: {shown(name)} is no name that a file can have")
            return None
        return path

    def _get(self, table: Table, key: str, where: Where, *, required: bool) -> Any:
        if key not in table and required:
            self.wrong(where, f"{key} is missing")
        return table.get(key)


def shown(value: Any) -> str:
    """A value in an error, not longer than a line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _near(word: str, known: Collection[str]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 (only for what is misspelt)

    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else None

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Policies as their users write them: TOML (docs/policies.md). Everything that is wrong is said at once, with its line."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transproc.automation.policies.rules import KINDS, Limits, Policy, Rule
from transproc.cluster.description import check_label
from transproc.cluster.duration import seconds
from transproc.errors import FormatError, TransprocError

LARGEST = 1 << 20
"""Bytes of a file; a hundred rules have a hundredth of that."""
MOST_RULES = 200
_PATTERN = re.compile(r"[a-z0-9._*?\[\]!-]{1,80}")
_LABELLED = {"evacuate", "keep"}
"""Kinds that mean nothing without `nodes`."""


def read(path: Path) -> Policy:
    """The policy in a file; raises `FormatError`."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", path=path) from error
    if len(data) > LARGEST:
        raise FormatError(f"has more than {LARGEST} bytes", path=path)
    return parse(data.decode(errors="replace"), path)


def parse(text: str, path: Path | None = None) -> Policy:
    """The policy in a text; raises `FormatError` with all that is wrong in it, a line each."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FormatError(f"not valid TOML: {error}", path=path) from error
    reader = _Reader(text)
    policy = reader.policy(data)
    if reader.wrong:
        head = [f"{len(reader.wrong)} things are wrong:"] if len(reader.wrong) > 1 else []
        raise FormatError("\n  ".join([*head, *sorted(reader.wrong, key=_line)]), path=path)
    return policy


def duration(value: object) -> float:
    """Seconds of "90s", "10m", "1h30m" (as `cluster.duration` reads them), or of a number. Raises `TransprocError`."""
    if isinstance(value, str):
        return seconds(value)
    return _number(value, "a time such as 90, '90s', '10m' or '2h'", 0, 1e9)


class _Reader:
    """Collects mistakes in `wrong`."""

    def __init__(self, text: str) -> None:
        self.wrong: list[str] = []
        self._lines = text.splitlines()

    def policy(self, data: Mapping[str, Any]) -> Policy:
        for key in data.keys() - {"limits", "rule"}:
            self._say(self._find(key), f"unknown {key!r}, expected [limits] and [[rule]]")
        limits = self._limits(data.get("limits", {}))
        rules = data.get("rule", [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            self._say(self._find("rule"), "rule cannot be that, expected tables [[rule]]")
            rules = []
        if not rules:
            self._say(1, "no rule: nothing would ever be done")
        if len(rules) > MOST_RULES:
            self._say(1, f"{len(rules)} rules, expected at most {MOST_RULES}")
            rules = rules[:MOST_RULES]
        starts = [
            number for number, line in enumerate(self._lines, 1) if re.match(r"\s*\[\[\s*rule\s*\]\]", line)
        ]
        starts += [1] * (len(rules) - len(starts))  # written inline
        made = [self._rule(table, start) for table, start in zip(rules, starts, strict=False)]
        return Policy(tuple(rule for rule in made if rule is not None), limits)

    def _limits(self, table: object) -> Limits:
        start = self._find("limits")
        if not isinstance(table, dict):
            self._say(start, "limits cannot be that, expected a table [limits]")
            return Limits()
        readers: dict[str, Callable[[Any], Any]] = {
            "at_once": lambda value: _count(value, 1, 100),
            "an_hour": lambda value: _count(value, 1, 100_000),
            "cool_down": duration,
            "settle": duration,
        }
        return Limits(**self._fields(table, readers, start, "limits"))

    def _rule(self, table: Mapping[str, Any], start: int) -> Rule | None:
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            found = f"kind cannot be {kind!r}" if "kind" in table else "a rule without a kind"
            self._say(self._find("kind", start), f"{found}, expected one of {', '.join(KINDS)}")
            return None
        known = {field.name for field in dataclasses.fields(KINDS[kind])}
        if kind == "price":
            known.discard("nodes")
        readers = {key: reader for key, reader in _READERS.items() if key in known}
        rest = {key: value for key, value in table.items() if key != "kind"}
        before = len(self.wrong)
        fields = self._fields(rest, readers, start, f"a rule of kind {kind}")
        required = {"nodes"} if kind in _LABELLED else {"cheap", "fast"} if kind == "price" else set()
        for key in sorted(required - rest.keys()):
            self._say(start, f"a rule of kind {kind} needs {key}")
        if len(self.wrong) > before:
            return None
        if kind == "price" and not fields.get("idle", 0.3) < fields.get("busy", 0.8):
            self._say(self._find("idle", start), "idle is not below busy: jobs would go to and fro")
        if kind == "price" and fields["cheap"] == fields["fast"]:
            self._say(self._find("fast", start), "cheap and fast are the same label")
        return KINDS[kind](**fields)

    def _fields(
        self, table: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]], start: int, where: str
    ) -> dict[str, Any]:
        found = {}
        for key, value in table.items():
            line = self._find(key, start)
            if key not in readers:
                self._say(line, f"unknown {key!r} in {where}, expected {', '.join(readers)}")
                continue
            try:
                found[key] = readers[key](value)
            except TransprocError as error:
                self._say(line, f"{key}: {error.message}")
        return found

    def _find(self, key: str, start: int = 1) -> int:
        """The line of a key behind the beginning of its table; that beginning if it is not seen."""
        for number in range(start, len(self._lines) + 1):
            line = self._lines[number - 1]
            if number > start and line.lstrip().startswith("[["):
                break
            if re.match(rf"\s*\[*\s*['\"]?{re.escape(key)}\b", line):
                return number
        return start

    def _say(self, line: int, text: str) -> None:
        self.wrong.append(f"line {line}: {text}")


def _line(message: str) -> int:
    return int(message.split()[1].rstrip(":"))


def _labels(value: object) -> frozenset[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words:
        raise TransprocError(f"{value!r}, expected a label or a list of labels")
    for word in words:
        check_label(word)
    return frozenset(words)


def _label(value: object) -> str:
    check_label(value)
    return str(value)


def _patterns(value: object) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words:
        raise TransprocError(f"{value!r}, expected a job's name, or a list of patterns such as 'web-*'")
    for word in words:
        if not isinstance(word, str) or not _PATTERN.fullmatch(word):
            raise TransprocError(f"{word!r} matches no job's name")
    return tuple(words)


def _number(value: object, expected: str, least: float, most: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not least <= value <= most:  # type: ignore[arg-type,operator]
        raise TransprocError(f"{value!r}, expected {expected}")
    return float(value)  # type: ignore[arg-type]


def _count(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise TransprocError(f"{value!r}, expected a number from {least} to {most}")
    return value


def _load(value: object) -> float:
    return _number(value, "a load for each processor, such as 0.8", 0.01, 1000)


_READERS: dict[str, Callable[[Any], Any]] = {
    "jobs": _patterns,
    "nodes": _labels,
    "difference": _load,
    "cheap": _label,
    "fast": _label,
    "idle": _load,
    "busy": _load,
}

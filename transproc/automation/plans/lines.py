# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""On which line of a JSON or TOML file each value begins: what their parsers do not tell, and who reads an error wants to know.

Both scanners are given text that the parser has accepted; they find structure and skip values. A value is named by its path,
keys and indices from the root on.
"""

from __future__ import annotations

import json
import re
import tomllib

Path = tuple[str | int, ...]
DEEPEST = 64
"""Levels of nesting that a plan may have."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_JSON_SPACE = re.compile(r"[ \t\r\n]*")
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_STRINGS = [
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?!")"?"?', re.DOTALL),
    re.compile(r"'''.*?'''(?!')'?'?", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
]
_ATOM = re.compile(r"[^,\]}\n#]*")
_KEY = re.compile(r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^=\]"'\n])*""")


class _Scanner:
    """`found`: the line of each path."""

    def __init__(self, text: str, space: re.Pattern[str]) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.found: dict[Path, int] = {(): 1}
        self._space = space

    def take(self, pattern: re.Pattern[str]) -> str:
        """Goes past what matches here, which may be nothing."""
        match = pattern.match(self.text, self.at)
        return self.skip(match.group() if match else "")

    def skip(self, text: str) -> str:
        self.at += len(text)
        self.line += text.count("\n")
        return text

    def here(self, text: str) -> bool:
        """Whether that comes next; goes past it."""
        self.take(self._space)
        if not self.text.startswith(text, self.at):
            return False
        self.skip(text)
        return True

    def mark(self, path: Path) -> None:
        if len(path) > DEEPEST:
            raise RecursionError
        self.found.setdefault(path, self.line)


class _Json(_Scanner):
    def value(self, path: Path) -> None:
        self.take(_JSON_SPACE)
        self.mark(path)
        if self.here("{"):
            while not self.here("}"):
                self.take(_JSON_SPACE)
                inner = (*path, str(json.loads(self.take(_JSON_STRING))))
                self.found[inner] = self.line  # of a key that comes twice the last one counts
                self.here(":")
                self.value(inner)
                self.here(",")
        elif self.here("["):
            index = 0
            while not self.here("]"):
                self.value((*path, index))
                self.here(",")
                index += 1
        elif not self.take(_JSON_STRING):
            self.take(_ATOM)


class _Toml(_Scanner):
    def document(self) -> None:
        prefix: Path = ()
        counts: dict[Path, int] = {}
        while True:
            self.take(self._space)
            if self.at >= len(self.text):
                return
            if self.here("[["):
                keys = _keys(self.take(_KEY))
                self.here("]]")
                path = (*_resolved(keys[:-1], counts), keys[-1])
                counts[path] = counts.get(path, 0) + 1
                prefix = (*path, counts[path] - 1)
                self._mark_all(prefix)
            elif self.here("["):
                prefix = _resolved(_keys(self.take(_KEY)), counts)
                self.here("]")
                self._mark_all(prefix)
            else:
                self.pair(prefix)

    def pair(self, prefix: Path) -> None:
        path = (*prefix, *_keys(self.take(_KEY)))
        self._mark_all(path)
        self.here("=")
        self.value(path)

    def value(self, path: Path) -> None:
        self.take(_SPACE)
        self.mark(path)
        if self.here("["):
            index = 0
            while not self.here("]"):
                self.value((*path, index))
                self.here(",")
                index += 1
        elif self.here("{"):
            while not self.here("}"):
                self.pair(path)
                self.here(",")
        elif not any(self.take(string) for string in _STRINGS):
            self.take(_ATOM)

    def _mark_all(self, path: Path) -> None:
        for length in range(1, len(path) + 1):
            self.mark(path[:length])


def _keys(raw: str) -> tuple[str, ...]:
    """A dotted key, as the parser understands it."""
    found: object = tomllib.loads(f"{raw} = 0")
    keys = []
    while isinstance(found, dict):
        ((key, found),) = found.items()
        keys.append(key)
    return tuple(keys)


def _resolved(keys: tuple[str, ...], counts: dict[Path, int]) -> Path:
    """In a header, the name of an array of tables means its last one."""
    path: Path = ()
    for key in keys:
        path = (*path, key)
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def json_lines(text: str) -> dict[Path, int]:
    """Of valid JSON. Raises RecursionError beyond `DEEPEST` levels."""
    scanner = _Json(text, _JSON_SPACE)
    scanner.value(())
    return scanner.found


def toml_lines(text: str) -> dict[Path, int]:
    """Of valid TOML. Raises RecursionError beyond `DEEPEST` levels."""
    scanner = _Toml(text, _SPACE)
    scanner.document()
    return scanner.found

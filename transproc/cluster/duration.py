# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Durations as people write them: `90`, `90s`, `1.5h`, `1h30m`, `500ms`, `2d`."""

from __future__ import annotations

import re

from transproc.errors import TransprocError

LONGEST = 366 * 86400.0
"""Seconds. Whoever writes more has mistaken the unit."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d)")


def seconds(text: str) -> float:
    """Raises `TransprocError` for what is no duration."""
    bare = text.replace(" ", "")
    parts = _PART.findall(bare)
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", bare, re.ASCII):
        found = float(bare)
    elif bare.isascii() and parts and "".join(number + unit for number, unit in parts) == bare:
        found = sum(float(number) * _UNITS[unit] for number, unit in parts)
    else:
        raise TransprocError(f"{text!r} is no duration", hint="write it as in 90s, 10m, 1h30m or 500ms")
    if found > LONGEST:
        raise TransprocError(f"{text!r} is longer than a year")
    return found


def spoken(value: float) -> str:
    """A duration in seconds as `seconds` reads it: `90` becomes `1m30s`."""
    if value < 60:
        return f"{value:g}s"
    words = []
    for unit in ("d", "h", "m", "s"):
        count, value = divmod(value, _UNITS[unit])
        words += [f"{count:g}{unit}"] if count else []
    return "".join(words) or "0s"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Numbers as people read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def duration(seconds: float) -> str:
    """A time span with two or three digits: `12 ms`, `0.35 s`, `4 min 05 s`, `3 h 10 min`, `5 d 2 h`."""
    if not math.isfinite(seconds):
        return "?"
    seconds = max(seconds, 0.0)
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, below, size, smaller in (("min", 3600, 60, "s"), ("h", 86400, 3600, "min")):
        if whole < below:
            return f"{whole // size} {unit} {whole % size // (size // 60):02} {smaller}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def age(seconds: float) -> str:
    """How long ago, in one unit: it is read in a column, again and again."""
    whole = max(int(seconds), 0) if math.isfinite(seconds) else 0
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= 2 * size or (whole >= size and unit == "min"):
            return f"{whole // size} {unit}"
    return f"{whole} s"


def moment(seconds: float) -> str:
    """A time of the epoch for `<time datetime>`, which the browser shows in its own zone."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return ""

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes and tables as people read them."""

from __future__ import annotations

from collections.abc import Sequence


def human(count: float) -> str:
    """A number of bytes: 1.5 MB."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def dotted(version: Sequence[int]) -> str:
    """A version as people write it: 4.1.1."""
    return ".".join(map(str, version))


def plural(count: int, word: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}".replace(",", " ")


def columns(rows: Sequence[Sequence[object]], header: Sequence[str] | None = None) -> list[str]:
    """A table, line by line: columns as wide as needed."""
    lines = [[str(cell) for cell in row] for row in [*([header] if header else []), *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]

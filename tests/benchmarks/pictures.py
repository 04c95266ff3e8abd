# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables of docs/benchmarks.md as pictures: python -m tests.benchmarks.pictures draws them anew, from what is written there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from transproc import paths

DOCUMENT = paths.SOURCE / "docs" / "benchmarks.md"
IMAGES = paths.SOURCE / "docs" / "images"
ROW, LEFT, WIDTH, TOP, RIGHT = 15, 230, 760, 50, 30
ABOVE, BELOW, PLAIN = "#c2410c", "#15803d", "#888888"


@dataclass(frozen=True)
class Bar:
    """A row: its median, and the quartiles, if they are known."""

    name: str
    value: float
    low: float
    high: float
    colour: str


def table(text: str, head: str) -> list[list[str]]:
    """The cells of the rows below the only head that begins so. Raises `ValueError` if there is none, or another one."""
    _, rest = text.split(f"\n{head}", 1)
    if f"\n{head}" in rest:
        raise ValueError(f"two tables begin with {head}")
    rows = rest.split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip().strip("*") for cell in row.strip("| ").split("|")] for row in rows]


def foreign(text: str) -> str:
    """Programs of others: the ratio to clang with glibc, and its quartiles."""
    bars = []
    for name, _, _, ratio, quartiles, *_ in table(text, "| program | clang, glibc | transproc | ratio |"):
        low, high = map(float, quartiles.split(" to "))
        bars.append(Bar(name, float(ratio), low, high, ABOVE if float(ratio) > 1 else BELOW))
    title = "C programs of others: user and system time, clang with glibc is 1"
    return drawn(title, sorted(bars, key=lambda bar: bar.value), marks=(0.5, 1.0))


def native(text: str) -> str:
    """Small and larger processes between native nodes: the downtime, and what CRIU alone takes, in seconds."""
    bars = []
    for name, _, _, _, now, alone, *_ in table(
        text, "| process, login shell | before | CRIU alone | ratio | now |"
    ):
        value, *quartiles = (float(found) for found in re.findall(r"[0-9.]+", now))
        low, high = quartiles if quartiles else (value, value)
        bars.append(Bar(f"{name}: downtime", value, low, high, BELOW))
        bars.append(Bar("CRIU alone", float(alone), float(alone), float(alone), PLAIN))
    return drawn("Between native nodes: seconds, median and quartiles", bars, marks=(0.1, 0.5))


def drawn(title: str, bars: Sequence[Bar], *, marks: Sequence[float]) -> str:
    """Bars from nothing to the median, a line from quartile to quartile, and lines at `marks`."""
    height = TOP + ROW * len(bars) + 20
    scale = (WIDTH - LEFT - RIGHT) / max(bar.high for bar in bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="22" font-size="15" fill="#222222">{escape(title)}</text>',
    ]
    for number, bar in enumerate(bars):
        y = TOP + ROW * number
        words = f'x="{LEFT - 6}" y="{y + 10}" text-anchor="end" fill="#222222"'
        parts.append(f"<text {words}>{escape(bar.name)}</text>")
        place = f'x="{LEFT}" y="{y + 2}" width="{bar.value * scale:.1f}" height="{ROW - 5}"'
        parts.append(f'<rect {place} fill="{bar.colour}" fill-opacity="0.6"/>')
        ends = (
            f'x1="{LEFT + bar.low * scale:.1f}" x2="{LEFT + bar.high * scale:.1f}" y1="{y + 7}" y2="{y + 7}"'
        )
        parts.append(f'<line {ends} stroke="#222222"/>')
    for mark in marks:
        x = LEFT + mark * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 16}" stroke="#2563eb" stroke-dasharray="3"/>'
        )
        parts.append(f'<text x="{x:.1f}" y="{TOP - 9}" text-anchor="middle" fill="#2563eb">{mark:g}</text>')
    return "\n".join([*parts, "</svg>\n"])


PICTURES = {"foreign.svg": foreign, "native.svg": native}


def main(images: Path = IMAGES) -> None:
    """Draws all."""
    for name, draw in PICTURES.items():
        (images / name).write_text(draw(DOCUMENT.read_text()))


if __name__ == "__main__":
    main()

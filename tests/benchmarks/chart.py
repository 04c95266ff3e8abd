# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lines over two logarithmic scales, as SVG that is readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 70, 50, 40, 170
COLOURS = ("#888888", "#c2410c", "#2563eb", "#7c3aed", "#15803d")


@dataclass(frozen=True)
class Line:
    """A name, and points by x."""

    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, x_name: str, y_name: str, lines: Sequence[Line]) -> str:
    """The whole document. All values are above 0."""
    points = [point for line in lines for point in line.points]
    x = _Scale([p[0] for p in points], LEFT, WIDTH - RIGHT, base=2)
    y = _Scale([p[1] for p in points], HEIGHT - BOTTOM, TOP, base=10)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 22, title, size=16),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_name, anchor="middle"),
        _text(LEFT, TOP - 2, y_name, anchor="end"),
    ]
    for value in sorted({p[0] for p in points}):
        parts.append(_text(x.at(value), HEIGHT - BOTTOM + 18, f"{value:g}", anchor="middle"))
    for value in y.ticks():
        at = y.at(value)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 8, at + 4, f"{value:g}", anchor="end"))
    for number, line in enumerate(lines):
        parts += _drawn(line, COLOURS[number % len(COLOURS)], x, y)
        at = TOP + 20 + 20 * number
        parts.append(_text(WIDTH - RIGHT + 34, at + 4, line.name))
        stroke = f'stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="3"'
        start, end = WIDTH - RIGHT + 8, WIDTH - RIGHT + 28
        parts.append(f'<line x1="{start}" x2="{end}" y1="{at}" y2="{at}" {stroke}/>')
    return "\n".join([*parts, "</svg>\n"])


class _Scale:
    """From values to places."""

    def __init__(self, values: Sequence[float], first: float, last: float, *, base: int) -> None:
        self._low = math.floor(math.log(min(values), base) * 2 + 1e-9) / 2
        self._high = max(math.ceil(math.log(max(values), base) * 2 - 1e-9) / 2, self._low + 1)
        self._first, self._last, self._base = first, last, base

    def at(self, value: float) -> float:
        share = (math.log(value, self._base) - self._low) / (self._high - self._low)
        return self._first + share * (self._last - self._first)

    def ticks(self) -> list[float]:
        steps = range(math.floor(self._low), math.ceil(self._high) + 1)
        each = [factor * 10.0**step for step in steps for factor in (1, 3)]
        low, high = 10.0**self._low, 10.0**self._high
        return [value for value in each if low * 0.999 <= value <= high * 1.001]


def _drawn(line: Line, colour: str, x: _Scale, y: _Scale) -> list[str]:
    places = [(x.at(a), y.at(b)) for a, b in sorted(line.points)]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    dots = [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in places]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#222222">{escape(words)}</text>'

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A plan drawn: as a tree of text, and as an SVG picture in which each node has a lane and each job a line through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from transproc.automation.plans.model import Block, Gate, Item, Parallel, Plan, Repeat, Step, Verb
from transproc.cluster.duration import spoken

_ROW, _LANE, _TEXT, _HEAD = 30, 130, 330, 46
"""Pixels: height of a row, width of a lane, width of the words before them, height of the lanes' names."""
_COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2", "#65a30d", "#be185d")


def text(plan: Plan, nodes: dict[str, str]) -> list[str]:
    """Lines for a terminal."""
    lines = [f"plan {plan.name}  ({plan.path})"]
    lines += [f"  node {name}: {nodes.get(name, '?')}" for name in sorted(nodes.keys() | plan.nodes.keys())]
    for program in plan.jobs.values():
        words = [str(program.path or "runs already"), *program.arguments]
        lines.append(f"  job {program.name}: {' '.join(words)}")
    return [*lines, *_tree(plan.main, "")]


def _tree(block: Block, indent: str) -> Iterator[str]:
    for number, item in enumerate(block, 1):
        last = number == len(block)
        yield f"{indent}{'└─' if last else '├─'} {words(item)}"
        inner = indent + ("   " if last else "│  ")
        if isinstance(item, Repeat):
            yield from _tree(item.body, inner)
        elif isinstance(item, Parallel):
            for turn, branch in enumerate(item.branches, 1):
                end = turn == len(item.branches)
                yield f"{inner}{'└─' if end else '├─'} branch {turn}"
                yield from _tree(branch, inner + ("   " if end else "│  "))


def words(item: Item) -> str:
    """One line about a part of a plan."""
    if isinstance(item, Step):
        named = "" if item.name.startswith(("main.", "execution")) else f"[{item.name}] "
        return named + item.title + _gate(item.gate)
    if isinstance(item, Parallel):
        return "at the same time" + _gate(item.gate)
    return _turns(item) + _gate(item.gate)


def _turns(item: Repeat) -> str:
    if item.until:
        end = f"until {' and '.join(condition.text for condition in item.until)}"
        return end if item.times is None else f"{item.times} times, or {end}"
    if item.times is None:
        return "for ever"
    return item.name if item.times == 1 else f"{item.times} times"


def _gate(gate: Gate) -> str:
    found = f", after {spoken(gate.after)}" if gate.after else ""
    if gate.when:
        found += f", when {' and '.join(condition.text for condition in gate.when)}"
        found += f" (within {spoken(gate.within)})" if gate.within is not None else ""
        found += ", else left out" if gate.skip else ""
    return found


# --- SVG -------------------------------------------------------------------------------------------------------------


@dataclass
class _Picture:
    """As far as it is drawn: `at`, the lane in which each job is; lines lie below marks and words."""

    lanes: list[str]
    jobs: list[str]
    rows: int = 0
    at: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    def x(self, lane: str | None) -> float:
        return _TEXT + _LANE * (self.lanes.index(lane) + 0.5) if lane in self.lanes else _TEXT

    def y(self, row: float) -> float:
        return _HEAD + _ROW * (row + 0.5)

    def colour(self, job: str) -> str:
        return _COLOURS[self.jobs.index(job) % len(_COLOURS)] if job in self.jobs else "#6b7280"

    def go_on(self, besides: str = "") -> None:
        """Every job goes on where it is, from the row before to this one."""
        for job, lane in self.at.items():
            if job != besides:
                self.line(job, lane, lane)

    def line(self, job: str, here: str | None, there: str | None, style: str = "") -> None:
        shift = 4 * (self.jobs.index(job) if job in self.jobs else 0)  # two jobs on a node are two lines
        path = f"M{self.x(here) + shift} {self.y(self.rows - 1)}L{self.x(there) + shift} {self.y(self.rows)}"
        self.lines.append(
            f'<path d="{path}" fill="none" stroke="{self.colour(job)}" stroke-width="3"{style}/>'
        )

    def mark(self, lane: str | None, colour: str, shape: str) -> None:
        x, y = self.x(lane), self.y(self.rows)
        if shape == "square":
            self.marks.append(f'<rect x="{x - 6}" y="{y - 6}" width="12" height="12" fill="{colour}"/>')
        else:
            filled = (
                f'fill="{colour}"' if shape == "dot" else f'class="ground" stroke="{colour}" stroke-width="3"'
            )
            self.marks.append(f'<circle cx="{x}" cy="{y}" r="6" {filled}/>')


def svg(plan: Plan, nodes: dict[str, str]) -> str:
    """A picture for browsers, legible on light and dark grounds."""
    lanes = [name for name in [*plan.nodes, *nodes] if name in nodes]
    picture = _Picture(list(dict.fromkeys(lanes)), list(plan.jobs))
    _block(picture, plan.main, 0)
    width = _TEXT + _LANE * max(1, len(picture.lanes)) + 20
    height = _HEAD + _ROW * picture.rows + 10
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        f"<title>plan {escape(plan.name)}</title>",
        "<style>text{font:13px system-ui,sans-serif;fill:#111}.quiet{fill:#666}.ground{fill:#fff}.lane{stroke:#ccc}"
        "@media(prefers-color-scheme:dark){text{fill:#eee}.quiet{fill:#aaa}.ground{fill:#111}.lane{stroke:#444}}</style>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
    ]
    for lane in picture.lanes:
        x = picture.x(lane)
        meant = "" if nodes.get(lane) == lane else f" ({nodes.get(lane)})"
        head.append(
            f'<line class="lane" x1="{x}" y1="{_HEAD - 10}" x2="{x}" y2="{height}" stroke-dasharray="2 4"/>'
        )
        head.append(f'<text x="{x}" y="24" text-anchor="middle">{escape(lane + meant)}</text>')
    return "\n".join([*head, *picture.lines, *picture.marks, "</svg>\n"])


def _block(picture: _Picture, block: Block, depth: int) -> None:
    for item in block:
        if isinstance(item, Step):
            _row(picture, words(item), depth)
            _step(picture, item)
            picture.rows += 1
            continue
        first = picture.rows
        _row(picture, words(item), depth, quiet=True)
        picture.go_on()
        picture.rows += 1
        for inner in [item.body] if isinstance(item, Repeat) else item.branches:
            _block(picture, inner, depth + 1)
        x, top, bottom = 8 + 14 * depth, picture.y(first) + 8, picture.y(picture.rows - 1) + 8
        picture.lines.append(f'<path d="M{x} {top}V{bottom}" stroke="#888" stroke-width="2"/>')


def _row(picture: _Picture, title: str, depth: int, *, quiet: bool = False) -> None:
    shown = title if len(title) <= 46 - 2 * depth else title[: 45 - 2 * depth] + "…"
    x, y = 16 + 14 * depth, picture.y(picture.rows) + 4
    kind = ' class="quiet"' if quiet else ""
    picture.marks.append(f'<text x="{x}" y="{y}"{kind}>{escape(shown)}<title>{escape(title)}</title></text>')


def _step(picture: _Picture, step: Step) -> None:
    job = step.job or ""
    here = picture.at.get(job)
    there = step.on if step.on in picture.lanes else here
    if step.verb is Verb.COMMAND or (here is None and step.verb is not Verb.RUN):
        picture.go_on()
        picture.mark(there, "#6b7280", "square")
        return
    colour, shape = picture.colour(job), "ring" if _stops(step) else "dot"
    picture.go_on(besides=job)
    if step.verb is Verb.RUN:
        picture.at.pop(job, None)  # an earlier one of that name is another process
        picture.mark(there, colour, shape)
    elif step.verb is Verb.SHIP:
        picture.line(job, here, here)
        picture.line(job, here, there, style=' stroke-dasharray="4 4"')
        picture.mark(there, colour, shape)
        return
    else:
        goal = there if step.verb in (Verb.RESTORE, Verb.MIGRATE) else here
        picture.line(job, here, goal)
        picture.mark(goal, colour, shape)
        there = goal
    if step.verb in (Verb.KILL, Verb.WAIT) or step.end:
        del picture.at[job]
    elif there:
        picture.at[job] = there


def _stops(step: Step) -> bool:
    """The job is stopped afterwards."""
    if step.stopped or (step.verb in (Verb.RUN, Verb.RESTORE) and step.at is not None):
        return True
    return step.verb in (Verb.PAUSE, Verb.DUMP, Verb.TRANSFORM, Verb.SHIP)

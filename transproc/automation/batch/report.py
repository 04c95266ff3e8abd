# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What came of a batch: tables, numbers for programs, and a picture of who was where when."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from transproc.automation.batch.decide import Seat
from transproc.automation.batch.model import Batch
from transproc.automation.batch.runner import Report, Run, Stay
from transproc.text import plural

_COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2", "#65a30d", "#be185d")
_LEFT, _WIDTH, _LANE, _HEAD = 110, 720, 18, 44
"""Pixels: the names of lanes, the time axis, the height of a lane, and of a picture's head."""


def summary(reports: Sequence[Report]) -> list[tuple[object, ...]]:
    """A line for each way of carrying it out; see `SUMMARY`."""
    return [
        (
            _called(report),
            f"{len(report.done)}/{len(report.runs)}",
            f"{report.seconds:.1f}",
            f"{report.per_hour:.0f}",
            f"{report.cost:.5f}",
            report.moves,
        )
        for report in reports
    ]


SUMMARY = ("MIGRATION", "DONE", "SECONDS", "RUNS/HOUR", "COST", "MOVES")
PROGRAMS = ("PROGRAM", "NODE", "RUNS", "MEDIAN s", "MOVED")


def programs(report: Report) -> list[tuple[object, ...]]:
    """A line for each program and node on which runs of it have ended; see `PROGRAMS`."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in report.done:
        groups.setdefault((run.entry.name, run.stays[-1].node), []).append(run)
    return [
        (
            entry,
            node,
            len(runs),
            f"{statistics.median(run.seconds for run in runs):.2f}",
            sum(run.moves for run in runs),
        )
        for (entry, node), runs in sorted(groups.items())
    ]


def differing(reports: Sequence[Report]) -> list[str]:
    """Runs that printed something else in one of the reports than in another."""
    digests: dict[str, set[str]] = {}
    for report in reports:
        for run in report.done:
            digests.setdefault(run.job, set()).add(run.digest)
    return sorted(job for job, found in digests.items() if len(found) > 1)


def as_dict(report: Report) -> dict[str, Any]:
    """For JSON; times in seconds from the beginning."""
    return {
        "migration": report.migrating,
        "seconds": round(report.seconds, 3),
        "runs": len(report.runs),
        "done": len(report.done),
        "per_hour": round(report.per_hour, 2),
        "cost": round(report.cost, 6),
        "moves": report.moves,
        "interrupted": report.interrupted,
        "nodes": [vars(seat) for seat in report.seats],
        "jobs": [
            {
                "job": run.job,
                "program": run.entry.name,
                "exit": run.exit,
                "digest": run.digest,
                "moves": run.moves,
                "stays": [vars(stay) for stay in run.stays],
            }
            for run in report.runs
        ],
    }


def from_dict(batch: Batch, words: Mapping[str, Any]) -> Report:
    """The report of a batch that was carried out elsewhere, as `as_dict` says it."""
    entries = {entry.name: entry for entry in batch.entries}
    runs = [
        Run(
            number,
            entries[job["program"]],
            job["job"],
            stays=[Stay(**stay) for stay in job["stays"]],
            exit=job["exit"],
            digest=job["digest"],
            moves=job["moves"],
        )
        for number, job in enumerate(words["jobs"], 1)
    ]
    seats = [Seat(**seat) for seat in words["nodes"]]
    return Report(words["migration"], seats, runs, words["seconds"], words["interrupted"])


def _called(report: Report) -> str:
    return "with" if report.migrating else "without"


def svg(title: str, reports: Sequence[Report]) -> str:
    """Who was in which slot when, below each other, on one scale."""
    longest = max([1.0, *(report.seconds for report in reports)])
    entries = list(dict.fromkeys(run.entry.name for report in reports for run in report.runs))
    parts, y = [], _HEAD
    for report in reports:
        parts.append(
            f'<text x="8" y="{y}" class="head">{_called(report)} migration: {report.seconds:.1f} s, '
            f"{report.per_hour:.0f} runs an hour, cost {report.cost:.5f}, {plural(report.moves, 'move')}</text>"
        )
        y += 10
        y = _lanes(report, parts, y, longest, entries) + 10
        for quarter in range(5):
            x, anchor = _LEFT + _WIDTH * quarter / 4, ("start", "middle", "middle", "middle", "end")[quarter]
            parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{longest * quarter / 4:.1f} s</text>')
        y += 34
    for number, entry in enumerate(entries):
        x = 8 + 150 * (number % 5)
        parts.append(
            f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
        )
        parts.append(f'<text x="{x + 18}" y="{y}">{escape(entry[:18])}</text>')
        y += 20 if number % 5 == 4 else 0
    width, height = _LEFT + _WIDTH + 20, y + 16
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            "<style>text{font:12px system-ui,sans-serif;fill:#111}.head{font-weight:600}.ground{fill:#fff}.lane{fill:#8882}"
            "@media(prefers-color-scheme:dark){text{fill:#eee}.ground{fill:#111}}</style>",
            f'<rect class="ground" width="{width}" height="{height}"/>',
            f'<text x="8" y="20" class="head">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


def _lanes(report: Report, parts: list[str], y: int, longest: float, entries: Sequence[str]) -> int:
    """Draws the slots of each node; returns where the next thing goes."""
    for seat in report.seats:
        stays = sorted(
            (
                (stay.begin, report.seconds if stay.end is None else stay.end, run, stay is not run.stays[0])
                for run in report.runs
                for stay in run.stays
                if stay.node == seat.name
            ),
            key=lambda one: one[:2],
        )
        ends: list[float] = []
        bars = []
        parts.append(f'<text x="8" y="{y + 13}">{escape(seat.name)} ({seat.price:g}/h)</text>')
        for begin, end, run, moved in stays:
            lane = next((i for i, busy in enumerate(ends) if busy <= begin + 1e-6), len(ends))
            ends[lane : lane + 1] = [end]
            x, width = _LEFT + _WIDTH * begin / longest, max(1.0, _WIDTH * (end - begin) / longest)
            colour = _COLOURS[entries.index(run.entry.name) % len(_COLOURS)]
            frame = ' stroke="#000" stroke-width="1.5" stroke-dasharray="3 2"' if moved else ""
            box = f'x="{x:.1f}" y="{y + _LANE * lane + 2}" width="{width:.1f}" height="{_LANE - 4}"'
            words = f"{escape(run.job)}: {begin:.1f} to {end:.1f} s{', moved here' if moved else ''}"
            bars.append(f'<rect {box} rx="2" fill="{colour}"{frame}><title>{words}</title></rect>')
        lanes = max(len(ends), seat.slots)
        for lane in range(lanes):
            parts.append(
                f'<rect class="lane" x="{_LEFT}" y="{y + _LANE * lane}" width="{_WIDTH}" height="{_LANE - 1}"/>'
            )
        parts += bars
        y += _LANE * lanes + 4
    return y

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rehearsals of several programs, with one line of a table for each: what `bench npb` and `example` share."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import typer

from transproc import log
from transproc.cli import common
from transproc.cluster.outcome import Outcome
from transproc.cluster.rehearsal import Plan, Rehearsal, Verdict
from transproc.cluster.start import Program
from transproc.errors import TransprocError


def trial(
    name: str,
    program: Program,
    nodes: Sequence[str],
    plans: Sequence[Plan],
    *,
    timeout: float,
    check: Callable[[Outcome], None] = lambda outcome: None,
) -> dict[str, Any]:
    """The result of one program, for JSON: by the first plan whose migrations do not come too late.

    `check` looks at what the migrated run left behind, and raises `TransprocError` if that is wrong.
    """
    result = failed(name, "")
    with log.step(f"rehearse {name}") as step:
        try:
            for plan in plans:
                rehearsal = Rehearsal(
                    common.context(),
                    program,
                    nodes,
                    plan=plan,
                    timeout=timeout,
                )
                verdict = rehearsal.run()
                if not verdict.missed:
                    break
            if verdict.passed and rehearsal.moved:
                check(rehearsal.moved)
        except TransprocError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # in a migration, which was taken back
                raise
            return {**result, "problem": error.message}
        step.detail = "identical" if verdict.passed else "FAILED"
    return {**dataclasses.asdict(verdict), **result, "passed": verdict.passed, "problem": _problem(verdict)}


def failed(name: str, problem: str) -> dict[str, Any]:
    """The result of a program that could not be rehearsed."""
    return {"program": name, "passed": False, "problem": problem}


def judged(name: str, detail: str) -> dict[str, Any]:
    """The result of a program that was right by its own script's judgement."""
    return {"program": name, "passed": True, "problem": "", "detail": detail}


def show(results: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Prints the results; exits with 1 unless all are good."""
    if as_json:
        common.show_json(results)
    else:
        common.table(
            [_line(result) for result in results], ("PROGRAM", "RESULT", "MIGRATIONS", "DOWNTIME", "RUN")
        )
        for result in results:
            if words := result.get("detail") or result["problem"]:
                typer.echo(f"\n{result['program']}: {words}")
    if not all(result["passed"] for result in results):
        raise typer.Exit(1)


def _problem(verdict: Verdict) -> str:
    return "; ".join([*([verdict.late] if verdict.late else []), *verdict.differences])


def _line(result: dict[str, Any]) -> tuple[str, str, str, str, str]:
    hops = result.get("hops", [])
    good = "right" if "detail" in result else "identical"
    downtime = f"{statistics.median(hop['downtime'] for hop in hops):.2f} s" if hops else "-"
    seconds = f"{result['plain_seconds']:.1f} s, {result['moved_seconds']:.1f} s" if hops else "-"
    return (
        result["program"],
        good if result["passed"] else "FAILED",
        str(len(hops)) if "detail" not in result else "-",
        downtime,
        seconds,
    )

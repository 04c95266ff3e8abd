# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc policy`: rules that keep jobs where they should be."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transproc import log
from transproc.cli import common, options

if TYPE_CHECKING:
    from transproc.automation.policies import Policy, Report

FILE = typer.Argument(metavar="FILE", help="A policy, in TOML.", show_default=False)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def policy() -> None:
    """Rules by which jobs move without a person: evacuate nodes, keep a label, balance by load, price, spread.

    docs/policies.md describes the file; examples/policies has one for each kind of rule.

    \b
    Examples:
      transproc policy explain night.toml
      transproc policy run night.toml --every 1m
    """


@app.command()
def check(file: Annotated[Path, FILE], *, as_json: Annotated[bool, options.JSON] = False) -> None:
    """Says everything that is wrong with a policy, with line numbers; asks no node.

    \b
    Example:
      transproc policy check night.toml
    """
    from transproc.automation.policies import read

    found = read(file)
    if as_json:
        common.show_json(_plain(found))
        return
    for number, rule in enumerate(found.rules, 1):
        jobs = "all jobs" if rule.jobs == ("*",) else f"jobs {', '.join(rule.jobs)}"
        typer.echo(f"rule {number}: {rule.title} ({jobs})")
    limits = found.limits
    typer.echo(
        f"limits: {limits.at_once} at once, {limits.an_hour} an hour, a job stays {limits.cool_down:g} s,"
        f" a node's load counts {limits.settle:g} s after a move"
    )


@app.command()
def explain(file: Annotated[Path, FILE], *, as_json: Annotated[bool, options.JSON] = False) -> None:
    """Says what a policy would do now and why, and what it would do but cannot. Nothing moves.

    \b
    Example:
      transproc policy explain night.toml
    """
    from transproc.automation.policies import Policies, read

    policy = read(file)
    if (there := common.remote()) is not None:
        found = there.ask("/policy/explain", {"text": file.read_text()})
    else:
        found = dataclasses.asdict(Policies(common.host(), policy).explain())
    if as_json:
        common.show_json(found)
        return
    for move in found["moves"]:
        typer.echo("{job}: {source} → {target}  (rule {rule}: {reason})".format(**move))
    for note in found["notes"]:
        typer.echo(note)
    if not found["moves"] and not found["notes"]:
        typer.echo("nothing is to be done")


@app.command("set")
def set_policy(file: Annotated[Path, FILE]) -> None:
    """Gives the controller a policy, in place of the one it has: the one of this host, or that of --controller.

    \b
    Example:
      transproc policy set night.toml
    """
    from transproc.automation.policies import read

    read(file)
    if (there := common.remote()) is not None:
        there.change("/policy", {"text": file.read_text()})
    else:
        from transproc.controller import policies

        policies.write(policies.place(common.host().store.directory), file.read_text())


@app.command()
def show(*, as_json: Annotated[bool, options.JSON] = False) -> None:
    """Shows the controller's policy, and what its latest round did and could not do.

    \b
    Example:
      transproc --controller lab policy show
    """
    if (there := common.remote()) is not None:
        found = there.get("/policy")
    else:
        from transproc.controller import policies

        found = {"text": policies.text(policies.place(common.host().store.directory)), "last": None}
    if as_json:
        common.show_json(found)
        return
    typer.echo("there is no policy" if found["text"] is None else found["text"].rstrip("\n"))
    if last := found["last"]:
        typer.echo(f"\nlatest round: {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(last['time']))}")
        for move in last["moves"]:
            typer.echo("  {job}: {source} → {target}  (rule {rule}: {reason})".format(**move))
        for note in [*([last["error"]] if last["error"] else []), *last["notes"]]:
            typer.echo(f"  {note}")


@app.command()
def unset() -> None:
    """The controller has no policy any more.

    \b
    Example:
      transproc policy unset
    """
    if (there := common.remote()) is not None:
        there.delete("/policy")
    else:
        from transproc.controller import policies

        policies.place(common.host().store.directory).unlink(missing_ok=True)


@app.command()
def run(
    file: Annotated[Path, FILE],
    *,
    every: Annotated[
        str, typer.Option("--every", metavar="TIME", help="Between two rounds: 30s, 5m.")
    ] = "30s",
    once: Annotated[bool, typer.Option("--once", help="One round, then the end.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; nothing moves.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each round as a line of JSON.")] = False,
) -> None:
    """Carries a policy out, round by round until Ctrl-C: moves under way are then taken back at the end of their step.

    A policy that runs for long belongs to the controller ('transproc serve'). A file that is changed counts from the next
    round on, if it is right.

    \b
    Examples:
      transproc policy run night.toml
      transproc policy run evacuate.toml --once
    """
    common.expect_here("policy run", "a controller carries out the policy that it has by itself")
    from transproc.automation.policies import Policies, read
    from transproc.errors import TransprocError

    pause, policies = common.duration(every, "'--every'"), Policies(common.host(), read(file), events=log)
    said: list[str] = []
    while True:
        begin = time.monotonic()
        try:
            report = policies.round(dry_run=dry_run)
        except TransprocError as error:  # what one round cannot do the next one may
            if once:
                raise
            typer.echo(f"this round failed: {error.message}", err=True)
        else:
            if as_json:
                typer.echo(_line(report))
            else:
                _tell(report, said)
            said = report.decision.notes
        if once:
            raise typer.Exit(1 if any(error for _, error in report.results) else 0)
        time.sleep(max(0.0, pause - (time.monotonic() - begin)))
        policies.policy = _again(file, policies.policy)


def _again(file: Path, before: Policy) -> Policy:
    from transproc.automation.policies import read
    from transproc.errors import TransprocError

    try:
        return read(file)
    except TransprocError as error:
        typer.echo(f"the policy stays as it was: {error.message}", err=True)
        return before


def _tell(report: Report, said: list[str]) -> None:
    """What is new."""
    errors = {move.job: error for move, error in report.results}
    for move in report.decision.moves:
        done = "" if move.job not in errors else f": {errors[move.job]}" if errors[move.job] else ": done"
        typer.echo(f"{move.job}: {move.source} → {move.target}  (rule {move.rule}: {move.reason}){done}")
    for note in report.decision.notes:
        if note not in said:
            typer.echo(note)


def _line(report: Report) -> str:
    import json

    results = {move.job: error for move, error in report.results}
    moves = [
        {**dataclasses.asdict(move), "done": move.job in results and results[move.job] is None,
         "error": results.get(move.job)}
        for move in report.decision.moves
    ]  # fmt: skip
    return json.dumps({"time": time.time(), "moves": moves, "notes": report.decision.notes})


def _plain(found: Policy) -> dict[str, Any]:
    rules = [
        {"kind": rule.kind, **{key: sorted(value) if isinstance(value, frozenset) else value
                               for key, value in dataclasses.asdict(rule).items()}}
        for rule in found.rules
    ]  # fmt: skip
    return {"limits": dataclasses.asdict(found.limits), "rules": rules}

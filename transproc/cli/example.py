# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc example`: software that others wrote is fetched, compiled as it is, and migrated while it works."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from transproc import log
from transproc.cli import common, options, trials
from transproc.cli import stress as stressing
from transproc.cluster.outcome import Outcome, write_tree
from transproc.cluster.rehearsal import Plan
from transproc.cluster.start import Program
from transproc.errors import CommandError, TransprocError
from transproc.isa import ALL
from transproc.process.selfmove import ERRORS, OUTPUT, Run, Verdict, Work, drive, stress
from transproc.process.selfmove import Plan as Moments
from transproc.scratch import Scratch
from transproc.toolchain import recipe as recipes
from transproc.toolchain.recipe import Recipe, Scenario


def example(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of examples/; without one, they are listed.")
    ] = None,
    *,
    only: Annotated[str, typer.Option("--only", metavar="S,T,…", help="Of its scenarios, these.")] = "",
    hops: Annotated[
        int | None, typer.Option("--hops", min=1, help="Migrations of each [default: the recipe's].")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random moments.")] = 1,
    nodes: Annotated[str, options.NODES] = "x86,arm",
    build_only: Annotated[
        bool, typer.Option("--build", help="Only compile, and print the directory of the programs.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="REPOSITORY",
            help="Where to fetch a recipe's commit: a clone, or its address.",
        ),
    ] = None,
    onto_itself: Annotated[
        int | None,
        typer.Option(
            "--stress",
            metavar="SECONDS",
            min=1,
            help="No nodes: each scenario migrates onto itself for so long, on every ISA ('transproc stress').",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For each run.")] = 3600.0,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Fetches a program's source from Debian or its authors' repository, compiles it unchanged, and rehearses its scenarios.

    Each runs with and without migrations: output, errors, exit status and files must be equal, byte for byte, and right.
    Exits with 0 only if they all are.

    \b
    Examples:
      transproc example                            which there are
      transproc example bzip2
      transproc example bzip2 --only compress --hops 10
      transproc example coremark --source ~/src/coremark    the same commit, of a clone
      transproc example lulesh --stress 10         no nodes: each scenario migrates onto itself, on both ISAs
      cd $(transproc example bzip2 --build)        to try what you like
    """
    if name is None:
        rows = [
            (made.name, ", ".join(s.name for s in made.scenarios))
            for made in map(recipes.load, recipes.names())
        ]
        common.table(rows, ("EXAMPLE", "SCENARIOS"))
        return
    recipe = recipes.load(name)
    chosen = _chosen(recipe, only)
    if source and not recipe.repository:
        raise typer.BadParameter(f"{name} is not fetched from a repository", param_hint="'--source'")
    tree = recipes.build(recipe, place=source)
    if build_only:
        typer.echo(tree)
        return
    if onto_itself:
        if not (chosen := [scenario for scenario in chosen if scenario.run or scenario.onto_itself]):
            raise TransprocError(f"{name}: moves between machines only", hint="without --stress")
        moments = {isa.name: Moments(seed, stressing.usual_rate(isa.name), onto_itself) for isa in ALL}
        _show_stressed(recipe, chosen, tree, moments, timeout=timeout, as_json=as_json)
        return
    pair = common.two_nodes(nodes, recipe.lab)
    results = [
        rehearse(recipe, scenario, tree, pair, hops=hops, seed=seed, timeout=timeout) for scenario in chosen
    ]
    trials.show(results, as_json=as_json)


def _chosen(recipe: Recipe, only: str) -> list[Scenario]:
    wanted = only.split(",") if only else [scenario.name for scenario in recipe.scenarios]
    known = {scenario.name: scenario for scenario in recipe.scenarios}
    if unknown := [word for word in wanted if word not in known]:
        raise typer.BadParameter(f"{unknown[0]}: expected some of {', '.join(known)}", param_hint="'--only'")
    return [known[word] for word in wanted]


def rehearse(
    recipe: Recipe,
    scenario: Scenario,
    tree: Path,
    nodes: list[str],
    *,
    hops: int | None,
    seed: int,
    timeout: float,
) -> dict[str, Any]:
    """Prepares and rehearses one scenario; the result is one of `trials`."""
    environment = recipe.environment(tree)
    if scenario.drive:
        how = {"NODES": ",".join(nodes), "HOPS": str(hops or scenario.hops), "SEED": str(seed)}
        return _drive(scenario, {**environment, **how, "PYTHON": sys.executable})
    try:
        with _prepared(scenario, environment) as files:
            stdin = files / scenario.stdin if scenario.stdin else None
            program = Program(scenario.argv(tree), stdin, files, dict(scenario.env))
            plan = Plan(hops or scenario.hops, seed=seed, varying=scenario.varying, ignore=scenario.ignore)
            return trials.trial(
                scenario.name, program, nodes, [plan], timeout=timeout, check=_checker(scenario, environment)
            )
    except CommandError as error:
        return trials.failed(scenario.name, error.message)


@contextmanager
def _prepared(scenario: Scenario, environment: dict[str, str]) -> Iterator[Path]:
    """The directory in which a scenario begins. Raises `CommandError`."""
    with Scratch() as work:
        try:
            recipes.shell(scenario.prepare, work, environment)
        except CommandError as error:
            error.message = f"prepare: {error.message}"
            raise
        yield work


def stressed(
    recipe: Recipe, scenario: Scenario, tree: Path, moments: Mapping[str, Moments], *, timeout: float
) -> list[Verdict]:
    """One scenario's verdicts, of each ISA. Raises `CommandError` if it cannot be prepared."""
    environment = recipe.environment(tree)
    if scenario.drive:
        return [_stress_driven(scenario, environment, isa, plan) for isa, plan in moments.items()]
    judge = _checker(scenario, environment)

    def check(run: Run) -> None:
        files = {f"work/{name}": data for name, data in run.files.items() if name not in (OUTPUT, ERRORS)}
        streams = {"stdout": run.files[OUTPUT], "stderr": run.files[ERRORS]}
        judge(Outcome(f"status {run.status}", 0.0, {"work": None, **files, **streams}))

    with _prepared(scenario, environment) as files:
        program, *arguments = scenario.argv(tree)
        work = Work(
            Path(program),
            arguments,
            (files / scenario.stdin).read_bytes() if scenario.stdin else b"",
            files,
            timeout,
            scenario.env,
            scenario.varying,
            scenario.ignore,
            check,
        )
        return [stress(work, isa, plan) for isa, plan in moments.items()]


def _stress_driven(scenario: Scenario, environment: dict[str, str], isa: str, plan: Moments) -> Verdict:
    """A server's verdict is its clients', who use it for about as long as it migrates."""
    known = {"HOPS": str(max(1, plan.seconds // 5)), "SEED": str(plan.seed), "PYTHON": sys.executable}

    def how(words: dict[str, Any]) -> None:
        with Scratch() as work:
            recipes.shell(scenario.drive, work, {**environment, **known, "ONTO_ITSELF": json.dumps(words)})

    return drive(isa, plan, how)


def _show_stressed(
    recipe: Recipe,
    scenarios: list[Scenario],
    tree: Path,
    moments: Mapping[str, Moments],
    *,
    timeout: float,
    as_json: bool,
) -> None:
    results = {}
    for scenario in scenarios:
        with log.step(f"stress {scenario.name}"):
            found = results[scenario.name] = stressed(recipe, scenario, tree, moments, timeout=timeout)
        for verdict in [] if as_json else found:
            typer.echo(f"{scenario.name}: ", nl=False)
            stressing.show(
                verdict, moments[verdict.isa].seed, Path(scenario.argv(tree)[0]) if scenario.run else None
            )
    if as_json:
        common.show_json({name: [dataclasses.asdict(v) for v in found] for name, found in results.items()})
    if not all(verdict.passed for found in results.values() for verdict in found):
        raise typer.Exit(1)


def _drive(scenario: Scenario, environment: dict[str, str]) -> dict[str, Any]:
    """The script's last line says how it went."""
    with log.step(f"drive {scenario.name}") as step, Scratch() as work:
        try:
            printed = recipes.shell(scenario.drive, work, environment)
        except CommandError as error:
            return trials.failed(scenario.name, error.message)
        step.detail = (printed.splitlines() or [""])[-1]
    return trials.judged(scenario.name, step.detail)


def _checker(scenario: Scenario, environment: dict[str, str]) -> Callable[[Outcome], None]:
    def check(outcome: Outcome) -> None:
        if outcome.exit != f"status {scenario.status}":
            raise TransprocError(f"the program ended with {outcome.exit}, with and without migrations")
        with Scratch() as work:
            write_tree(outcome.files, work)
            recipes.shell(scenario.check, work, environment)

    return check


app = common.application(example)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc inspect`: what a checkpoint holds."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transproc.cli import common
from transproc.errors import TransprocError

if TYPE_CHECKING:
    from transproc.cluster.checkpoints import Checkpoint, Manifest


def inspect(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="A checkpoint, or a directory with several, which are listed [default: where they are by default].",
        ),
    ] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all of it, and compare the checksums.")
    ] = False,
    stacks: Annotated[bool, typer.Option("--stacks", help="The stack of each thread, with values.")] = False,
    nodes: Annotated[
        bool, typer.Option("--nodes/--no-nodes", help="Ask the nodes whether it can be restarted there.")
    ] = True,
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Shows what a checkpoint holds, how old it is, and on which nodes it can be restarted as things are.

    \b
    Examples:
      transproc inspect
      transproc inspect /backup
      transproc inspect /backup/nbody-20261128T141502Z-3
      transproc inspect /backup/nbody-20261128T141502Z-3 --verify --no-nodes --json
    """
    from transproc.cluster import checkpoints

    if directory is None:
        from transproc.cluster.operations.checkpoint import place

        directory = place(common.host().store)
    if inside := checkpoints.all_in(directory):
        _list(inside, verify, as_json)
        return
    if directory.is_dir() and not any(directory.iterdir()):
        raise TransprocError(f"{directory}: there is no checkpoint")
    found = checkpoints.read(directory)
    if verify:
        checkpoints.verify(found)
    where = _where(found) if nodes else None
    threads = _stacks(found) if stacks else None
    if as_json:
        rest: dict[str, Any] = {"bytes": found.size, "verified": verify}
        rest |= {} if where is None else {"nodes": where}
        rest |= {} if threads is None else {"stacks": [dataclasses.asdict(thread) for thread in threads]}
        common.show_json({"path": str(found.path), **dataclasses.asdict(found.manifest), **rest})
        return
    for title, text in _facts(found, verify):
        typer.echo(f"{title:12}{text}")
    for name, problem in (where or {}).items():
        typer.echo(f"{'node ' + name:12}{problem or 'can be restarted there'}")
    if threads is not None:
        from transproc.cli.show import show_thread

        for thread in threads:
            typer.echo()
            show_thread(thread)


def _list(paths: list[Path], verify: bool, as_json: bool) -> None:
    """Those in a directory; one that is damaged is said, and does not hide the others."""
    from transproc.cluster import checkpoints
    from transproc.cluster.transfer import human

    rows: list[dict[str, Any]] = []
    for path in paths:
        try:
            found = checkpoints.read(path)
            if verify:
                checkpoints.verify(found)
        except TransprocError as error:
            rows.append({"path": str(path), "problem": error.message})
            continue
        manifest = found.manifest
        rows.append(
            {
                "path": str(path),
                "name": manifest.name,
                "number": manifest.number,
                "taken": manifest.taken,
                "isa": manifest.isa,
                "bytes": found.size,
            }
        )
    if as_json:
        common.show_json(rows)
        return
    good = [
        (
            row["name"],
            row["number"],
            _age(time.time() - row["taken"]),
            row["isa"],
            human(row["bytes"]),
            row["path"],
        )
        for row in rows
        if "name" in row
    ]
    common.table(good, ("JOB", "NUMBER", "AGE", "ISA", "SIZE", "CHECKPOINT"))
    for row in rows:
        if "problem" in row:
            typer.echo(row["problem"], err=True)


def _facts(found: Checkpoint, verified: bool) -> list[tuple[str, str]]:
    from transproc.cluster.transfer import human

    manifest = found.manifest
    sizes = {"images": 0, "pair": 0, "files.tar": 0}
    for name, size in manifest.contents.items():
        sizes[name.partition("/")[0]] += size
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(manifest.taken))
    rows = [
        ("job", f"{manifest.name}, checkpoint {manifest.number}"),
        ("command", " ".join(manifest.argv)),
        ("taken", f"{when} ({_age(time.time() - manifest.taken)} ago) on {manifest.node}"),
        ("ISA", manifest.isa + (", which it is bound to" if manifest.bound else "")),
        ("made by", f"transproc {manifest.transproc}, criu {manifest.criu}, Linux {manifest.kernel}"),
        ("user", f"{manifest.user} ({manifest.uid})" if manifest.user else "as transproc comes to nodes"),
        ("process", f"{manifest.pid}, {len(manifest.ids)} threads, moved {manifest.moves} times"),
        ("memory", human(manifest.memory)),
        ("images", human(sizes["images"])),
        ("files", human(sizes["files.tar"]) + _left_out(manifest)),
        ("stood still", f"{manifest.downtime:.2f} s"),
        ("checksums", "all right" if verified else "not compared (--verify)"),
    ]
    rows += [("outside", file.path) for file in manifest.outside]
    return rows


def _left_out(manifest: Manifest) -> str:
    return f", without {', '.join(manifest.exclude)}" if manifest.exclude else ""


def _age(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} seconds"


def _where(found: Checkpoint) -> dict[str, str | None]:
    """Of each node why it cannot be restarted there, or None."""
    from functools import partial

    from transproc.cluster.beside import beside
    from transproc.cluster.operations.restart import check

    context = common.context()
    asked = {name: partial(check, context, found, name) for name in context.nodes()}
    answers = beside(asked, DEADLINE)
    return {name: _answer(answers[name]) if name in answers else "has not answered" for name in asked}


DEADLINE = 10.0
"""Seconds that a node has."""


def _answer(answer: TransprocError | None) -> str | None:
    return None if answer is None else answer.message


def _stacks(found: Checkpoint) -> list[Any]:
    from transproc.binary.pair import PairStore
    from transproc.images.directory import ImageDirectory
    from transproc.transform import describe

    return describe.stacks(ImageDirectory(found.images), PairStore([found.pair]))


app = common.application(inspect)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc show`: what is in an image."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from transproc.binary.demangle import demangle
from transproc.binary.pair import PairStore
from transproc.cli import common
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError
from transproc.images import show as views
from transproc.images.directory import ImageDirectory
from transproc.transform import describe
from transproc.transform.describe import FrameView, ThreadView


def show(
    what: Annotated[
        str,
        typer.Argument(metavar="DIR|NAME", help="An image directory, or a dumped job.", show_default=False),
    ],
    pair: Annotated[
        list[Path] | None, typer.Option("--pair", metavar="PATH", help="The program, or a directory with it.")
    ] = None,
    values: Annotated[
        bool, typer.Option("--values/--no-values", help="The live values of each frame.")
    ] = True,
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Shows what an image holds: processes, open files, memory, and each thread's stack.

    A frame is shown with its function, source line (with -g) and live values. A transformed image has a resume record in
    the place of each frame.

    \b
    Examples:
      transproc show nbody
      transproc show images/dump --pair ./nbody
    """
    directory, places = _find(what, pair or [])
    image = ImageDirectory(directory)
    threads = describe.stacks(image, PairStore(places))
    tables = _tables(image)
    if as_json:
        found = {name: [dataclasses.asdict(row) for row in rows] for name, rows in tables.items()}
        common.show_json({**found, "stacks": [dataclasses.asdict(thread) for thread in threads]})
        return
    typer.echo(directory)
    for name, rows in tables.items():
        typer.echo(f"\n{name}\n" + views.render(rows))
    typer.echo()
    for thread in threads:
        show_thread(thread, values=values)


def _tables(image: ImageDirectory) -> dict[str, list[Any]]:
    """What the image holds, by kind; files and memory of each process that is alive."""
    processes = views.processes(image)
    tables: dict[str, list[Any]] = {"processes": processes, "threads": views.threads(image)}
    for process in processes:
        if image.has(f"mm-{process.pid}.img"):
            tables[f"files of {process.pid}"] = views.files(image, process.pid)
            tables[f"memory of {process.pid}"] = views.memory(image, process.pid)
    return tables


def _find(what: str, pair: list[Path]) -> tuple[Path, list[Path]]:
    path, store = Path(what), JobStore()
    if "/" in what or path.is_dir():
        if not path.is_dir():
            raise TransprocError(f"{path}: no such directory")
        return path, pair or [Path()]
    job = store.load(what)
    found = [d for d in (store.move(job.name) / "images" / kind for kind in ("image", "dump")) if d.is_dir()]
    if not found:
        raise TransprocError(f"job {what}: has no image", hint=f"'transproc dump {what}' writes one")
    return found[0], pair or [store.pair(job.name)]


def show_thread(thread: ThreadView, *, values: bool = True) -> None:
    """A thread's stack, for people."""
    typer.echo(f"process {thread.pid}, thread {thread.tid}, {thread.isa}")
    names = demangle(frame.function for frame in thread.frames)
    for number, frame in enumerate(thread.frames):
        typer.echo(f"  #{number:<3}{_frame(frame, names[frame.function])}")
        for value in frame.values if values else []:
            typer.echo(f"        {value.type} {value.name} = {value.value}")
    if thread.problem:
        typer.echo(f"  cannot be read further: {thread.problem}")


def _frame(frame: FrameView, function: str) -> str:
    where = f" at {frame.line}" if frame.line else ""
    return f"{function}{where}  ({frame.kind} {frame.address:#x}, site {frame.site}, {frame.objects} stack objects)"


app = common.application(show)

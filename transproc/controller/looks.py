# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be seen of images and checkpoints on the host that manages jobs, as text for people and as data for programs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from transproc.binary.demangle import demangle
from transproc.binary.pair import PairStore
from transproc.cluster import checkpoints
from transproc.cluster.beside import beside
from transproc.cluster.checkpoints import Checkpoint, Manifest
from transproc.cluster.operations import Context
from transproc.cluster.operations.checkpoint import place
from transproc.cluster.operations.restart import check
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError
from transproc.images import show as views
from transproc.images.directory import ImageDirectory
from transproc.text import columns, human, plural
from transproc.transform import describe
from transproc.transform.describe import FrameView, ThreadView

DEADLINE = 10.0
"""Seconds that a node has to say whether a checkpoint can be restarted there."""
WORD = 8
"""Bytes: of larger variables it is said where they lie, since others point to them."""


@dataclass
class Look:
    """`notes`: what is wrong with parts of it."""

    text: str
    data: Any
    notes: list[str] = field(default_factory=list)


def job(store: JobStore, name: str, pairs: Sequence[Path] | None = None, *, values: bool = True) -> Look:
    """The image that a job has here; `pairs`: as for `image`, if not the job's own. Raises `TransprocError` if there is none."""
    found = store.load(name)
    paths = [store.move(found.name) / "images" / kind for kind in ("image", "dump")]
    there = [path for path in paths if path.is_dir()]
    if not there:
        raise TransprocError(f"job {name}: has no image", hint=f"'transproc dump {name}' writes one")
    return image(there[0], pairs or [store.pair(found.name)], values=values)


def image(directory: Path, pairs: Sequence[Path], *, values: bool = True) -> Look:
    """An image directory; `pairs`: where its program may be; `values`: with those of each frame. Raises `TransprocError`."""
    found = ImageDirectory(directory)
    threads = describe.stacks(found, PairStore(list(pairs)))
    tables = _tables(found)
    parts = [str(directory), *(f"\n{name}\n{views.render(rows)}" for name, rows in tables.items()), ""]
    for thread in threads:
        parts += stack(thread, values=values)
    data: dict[str, Any] = {name: [dataclasses.asdict(row) for row in rows] for name, rows in tables.items()}
    return Look("\n".join(parts), {**data, "stacks": [dataclasses.asdict(thread) for thread in threads]})


def _tables(found: ImageDirectory) -> dict[str, list[Any]]:
    """What the image holds, by kind; files and memory of each process that is alive."""
    processes = views.processes(found)
    tables: dict[str, list[Any]] = {"processes": processes, "threads": views.threads(found)}
    for process in processes:
        if found.has(f"mm-{process.pid}.img"):
            tables[f"files of {process.pid}"] = views.files(found, process.pid)
            tables[f"memory of {process.pid}"] = views.memory(found, process.pid)
    return tables


def stack(thread: ThreadView, *, values: bool = True) -> Iterator[str]:
    """A thread's stack, line by line."""
    yield f"process {thread.pid}, thread {thread.tid}, {thread.isa}"
    names = demangle(frame.function for frame in thread.frames)
    for number, frame in enumerate(thread.frames):
        yield f"  #{number:<3}{_frame(frame, names[frame.function])}"
        for value in frame.values if values else []:
            place = f"  ({value.size} bytes at {value.address:#x})" if value.size > WORD else ""
            yield f"        {value.type} {value.name} = {value.value}{place}"
    if thread.problem:
        yield f"  cannot be read further: {thread.problem}"


def _frame(frame: FrameView, function: str) -> str:
    where = f" at {frame.line}" if frame.line else ""
    return f"{function}{where}  ({frame.kind} {frame.address:#x}, site {frame.site}, {frame.objects} stack objects)"


# --- checkpoints -----------------------------------------------------------------------------------------------------


def checkpoint(
    context: Context,
    directory: Path | None,
    *,
    verify: bool = False,
    stacks: bool = False,
    nodes: bool = True,
) -> Look:
    """A checkpoint, or those in a directory, by default where they are kept. Raises `TransprocError`.

    `verify`: all of it is read, and checksums compared; `nodes`: they are asked whether it can be restarted there.
    """
    directory = directory or place(context.store)
    if inside := checkpoints.all_in(directory):
        return _list(inside, verify=verify)
    if directory.is_dir() and not any(directory.iterdir()):
        raise TransprocError(f"{directory}: there is no checkpoint")
    found = checkpoints.read(directory)
    if verify:
        checkpoints.verify(found)
    where = _where(context, found) if nodes else None
    threads = describe.stacks(ImageDirectory(found.images), PairStore([found.pair])) if stacks else None
    rest: dict[str, Any] = {"bytes": found.size, "verified": verify}
    rest |= {} if where is None else {"nodes": where}
    rest |= {} if threads is None else {"stacks": [dataclasses.asdict(thread) for thread in threads]}
    lines = [f"{title:12}{text}" for title, text in _facts(found.manifest, verified=verify)]
    lines += [
        f"{'node ' + name:12}{problem or 'can be restarted there'}" for name, problem in (where or {}).items()
    ]
    for thread in threads or []:
        lines += ["", *stack(thread)]
    return Look("\n".join(lines), {"path": str(found.path), **dataclasses.asdict(found.manifest), **rest})


def _list(paths: Sequence[Path], *, verify: bool) -> Look:
    """Those in a directory; one that is damaged is said, and does not hide the others."""
    rows: list[dict[str, Any]] = []
    for path in paths:
        try:
            found = checkpoints.read(path)
            if verify:
                checkpoints.verify(found)
        except TransprocError as error:
            rows.append({"path": str(path), "problem": error.message})
            continue
        one = found.manifest
        words = {"path": str(path), "name": one.name, "number": one.number, "taken": one.taken}
        rows.append({**words, "isa": one.isa, "bytes": found.size})
    good = [row for row in rows if "name" in row]
    cells = [
        (
            row["name"],
            row["number"],
            _age(time.time() - row["taken"]),
            row["isa"],
            human(row["bytes"]),
            row["path"],
        )
        for row in good
    ]
    lines = columns(cells, ("JOB", "NUMBER", "AGE", "ISA", "SIZE", "CHECKPOINT"))
    return Look("\n".join(lines), rows, [row["problem"] for row in rows if "problem" in row])


def _facts(manifest: Manifest, *, verified: bool) -> list[tuple[str, str]]:
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
        (
            "process",
            f"{manifest.pid}, {plural(len(manifest.ids), 'thread')}, moved {plural(manifest.moves, 'time')}",
        ),
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


def _where(context: Context, found: Checkpoint) -> Mapping[str, str | None]:
    """Of each node why it cannot be restarted there, or None."""
    asked = {name: partial(check, context, found, name) for name in context.nodes()}
    answers = beside(asked, DEADLINE)
    return {name: _answer(name, answers[name]) if name in answers else "has not answered" for name in asked}


def _answer(node: str, answer: TransprocError | None) -> str | None:
    return None if answer is None else answer.message.removeprefix(f"node {node}: ")

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the driver leaves for `quick.py`: the words of the programs that it runs for a command line, whatever the files' names.

A plan is made of the command line with tokens in place of names, by the functions that also do the work; a word in which a
token became a part of something else makes no plan. So the driver alone knows what options mean.
"""

from __future__ import annotations

import marshal
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from transproc.toolchain import making, quick

MOST = 2000
"""Plans that are kept; a build has some ten, a large configure script a few hundred."""

Words = tuple[list[str], list[str] | None]
"""Of the front end, and of transproc-codegen; without the latter the front end's result is all that is wanted."""


def remember(words: list[str], planned: Callable[[list[str]], Words | None]) -> None:
    """Leaves a plan for a command line; `planned` says what is run for one. That it cannot be written is no error."""
    found = quick.template(words)
    if found is None or quick.OVERRIDE in os.environ:
        return
    made = planned(found[0])
    if made is None or not all(map(_whole, [*made[0], *(made[1] or [])])):
        return
    try:
        directory = _directory(Path(quick.place()))
        if len(list(directory.iterdir())) < MOST:
            making.write(directory / quick.key(found[0]), marshal.dumps((found[0], *made)))
    except OSError:
        return


def _whole(word: str) -> bool:
    tokens = {quick.SOURCE, quick.DEPENDENCIES, quick.BITCODE, *quick.HALVES, *quick.NAMED.values()}
    return "\1" not in word or word in tokens


def _directory(base: Path) -> Path:
    """Where plans of the present sources are; the ones of others are removed."""
    base.mkdir(parents=True, exist_ok=True)
    state = making.state([*making.sources(), Path(quick.PACKAGE)])
    epoch = base / "epoch"
    try:
        name, _, seen = epoch.read_text().partition("\n")
    except OSError:
        name, seen = "", ""
    if seen != state or not (base / name).is_dir():
        for old in base.iterdir():
            if old.is_dir():
                shutil.rmtree(old, ignore_errors=True)
        name = f"{os.getpid()}-{os.urandom(4).hex()}"
        (base / name).mkdir()
        making.write(epoch, f"{name}\n{state}".encode())
    return base / name

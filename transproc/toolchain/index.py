# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Puts the site index into the two binaries of a pair, in place of the sections that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transproc.binary import processor
from transproc.binary.build import build
from transproc.binary.compare import differing_objects
from transproc.binary.elf import Elf
from transproc.binary.sites import SECTION, Index
from transproc.errors import MismatchError
from transproc.run import run

CONSUMED = (".llvm_stackmaps", ".transproc.functions")


def install(binaries: Sequence[Path]) -> None:
    """Replaces the stack maps of both files by their index.

    Raises `FormatError` if the compiler's tables do not fit together, `MismatchError` if the binaries list
    other stack objects.
    """
    elves = [Elf(path) for path in binaries]
    indexes = [build(elf, mate.build_id) for elf, mate in zip(elves, reversed(elves), strict=True)]
    with ThreadPoolExecutor(len(binaries)) as pool:
        list(pool.map(_replace, binaries, indexes))
    first, second = (Index(Elf(path)) for path in binaries)
    if len(first.functions) != len(second.functions):
        raise MismatchError(
            f"{len(first.functions)} functions have sites in x86_64, {len(second.functions)} in aarch64"
        )
    if differing := differing_objects(first, second):
        raise MismatchError(f"the stack objects of function {differing[0]} differ between x86_64 and aarch64")


def _replace(path: Path, index: bytes) -> None:
    side, needs = (path.with_name(path.name + suffix) for suffix in (".index", ".cpu"))
    side.write_bytes(index)
    needs.write_text("".join(f"{name}\n" for name in sorted(processor.needed(Elf(path)))))
    # Each object has said what it needs: once is enough. Not updated: symbols of a section that objcopy updates lose it.
    changes = [f"--remove-section={name}" for name in (*CONSUMED, processor.SECTION)]
    changes += [f"--add-section={processor.SECTION}={needs}"] if needs.stat().st_size else []
    # The index is: its section keeps its alignment, which objcopy sets in another run if it adds one.
    run(["llvm-objcopy-19", *changes, f"--update-section={SECTION}={side}", path])
    side.unlink()
    needs.unlink()

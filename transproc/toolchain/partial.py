# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc-cc -r`: several dual objects become one, as large builds (busybox, the kernel's way) put directories together.

Both halves are combined in the same order, so that their sections, which were equal before, are equal afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transproc.errors import CompileError, TransprocError, UnsupportedError
from transproc.run import run
from transproc.scratch import Scratch
from transproc.toolchain import archive, dual
from transproc.toolchain.link import LD


def combine(inputs: Sequence[Path], output: Path) -> None:
    """Writes the dual object `output`. Raises `CompileError` with the linker's messages, `UnsupportedError` for other inputs."""
    with Scratch() as work:
        halves = [_half(inputs, number, work / isa) for number, isa in enumerate(dual.MACHINES)]
        dual.write(output, *halves)


def _half(inputs: Sequence[Path], number: int, place: Path) -> bytes:
    place.mkdir()
    objects = []
    for index, path in enumerate(inputs):
        data = _read(path)
        if (
            data != archive.MAGIC
        ):  # an empty archive, as kbuild makes for a directory without objects, adds nothing
            objects.append(place / f"{index}-{path.name}")
            objects[-1].write_bytes(dual.split(data, str(path))[number])
    made = place / "combined"
    done = run([LD, "-r", "-o", made, *objects], check=False)
    if done.returncode:
        raise CompileError(done.stderr.decode(errors="replace").replace(f"{place}/", ""))
    if number == 0:  # each of them carries its other half
        run(["llvm-objcopy-19", f"--remove-section={dual.SECTION}", made])
    return made.read_bytes()


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TransprocError(f"{path}: {error.strerror}") from error
    if data != archive.MAGIC and data.startswith((archive.MAGIC, archive.THIN)):
        raise UnsupportedError(
            f"-r: {path} is an archive", hint="name the objects in it, or link the archive into the program"
        )
    return data

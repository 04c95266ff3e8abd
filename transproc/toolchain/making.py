# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How what is kept is made: of which sources a toolchain is, that a directory appears as a whole, once, and on all cores."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from transproc.paths import SOURCE

RUNTIME = SOURCE / "runtime"
LLVM = SOURCE / "llvm"
PLUGIN_SOURCES = (LLVM / "CMakeLists.txt", LLVM / "include", LLVM / "lib", LLVM / "tools")
LIBRARY_SOURCES = (RUNTIME / "include", RUNTIME / "intrinsics", RUNTIME / "libc", RUNTIME / "src")
RECIPE = (
    *("archive", "build", "compile", "debian", "dual", "intrinsics", "kernel", "symbols"),
    *("libc/allocator", "libc/headers", "libc/leaves", "libc/library", "libc/native"),
)
"""Modules of this package that decide what is in a toolchain: `build.py` and what it imports, without this one, which only
says how it is put in its place."""


def sources() -> list[Path]:
    """Files and directories that a toolchain is made of."""
    recipe = [Path(__file__).parent / f"{name}.py" for name in RECIPE]
    return [*PLUGIN_SOURCES, *LIBRARY_SOURCES, *recipe]


def state(paths: Iterable[Path]) -> str:
    """Path, time and size of each file and directory, a line each: a directory's time tells of files that came and went."""
    lines = []
    todo = [str(path) for path in paths]
    while todo:
        path = todo.pop()
        found = os.stat(path)  # noqa: PTH116 (a hundred files, at each start of transproc-cc)
        if stat.S_ISDIR(found.st_mode):
            todo += [entry.path for entry in os.scandir(path) if entry.name != "__pycache__"]
        lines.append(f"{path}\0{found.st_mtime_ns} {found.st_size}")
    return "\n".join(sorted(lines))


def write(path: Path, data: bytes) -> None:
    """Writes a file as a whole: others read it at the same time."""
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Only one process at a time works on `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(target: Path, build: Callable[[Path], None]) -> None:
    """Builds in a temporary directory and renames it: a half-made toolchain is never seen.

    One process builds, the others (of a parallel make, say) wait for it.
    """
    with locked(target):
        if target.exists():
            return
        for left in target.parent.glob(f".{target.name}-*"):  # a build that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as work:
            result = Path(work) / "result"
            result.mkdir()
            build(result)
            result.rename(target)


def parallel(jobs: Iterable[Callable[[], object]]) -> None:
    """Runs jobs on all cores; the first error ends it."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The sysroot: the compiler pass, and a C library for both ISAs compiled by it.

    bin/transproc-codegen  lib/transproc.so        the pass (from llvm/)
    include/                                       neutral headers
    lib/libc.a lib/crt1.o lib/transproc.o          dual objects; libm.a and its like are empty
    rt/<isa>/                                      what one ISA needs in addition: compiler-rt, converted system calls
    leaf.txt                                       functions that never reach an equivalence point

Everything is made of llvm/, runtime/ and musl's source, in a directory named by their digest: it is never changed once
it is there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from transproc.errors import CommandError, TransprocError
from transproc.paths import SOURCE, digest, home
from transproc.run import run

RUNTIME = SOURCE / "runtime"
LLVM = SOURCE / "llvm"
PLUGIN_SOURCES = (LLVM / "CMakeLists.txt", LLVM / "include", LLVM / "lib", LLVM / "tools")
LIBRARY_SOURCES = (RUNTIME / "include", RUNTIME / "intrinsics", RUNTIME / "libc", RUNTIME / "src")
HOST_COMPILERS = ("-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_CXX_COMPILER=clang++-19")
BUILD_VARIABLES = {"CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS"}
"""What a build that calls us may have set for its own compilations."""

OVERRIDE = "TRANSPROC_TOOLCHAIN"
"""Environment variable: use the toolchain in this directory as it is."""


@dataclass(frozen=True)
class Toolchain:
    """A finished toolchain; `plain` names the variant of the library without sites."""

    root: Path
    plain: bool = False

    @property
    def codegen(self) -> Path:
        """`transproc-codegen`."""
        return self.root / "bin" / "transproc-codegen"

    @property
    def plugin(self) -> Path:
        """The pass plugin for opt."""
        return self.root / "lib" / "transproc.so"

    @property
    def include(self) -> Path:
        """The C library's headers."""
        return self.root / "include"

    @property
    def lib(self) -> Path:
        """Archives and start files."""
        return self.root / ("lib-plain" if self.plain else "lib")

    @property
    def leaf_list(self) -> Path:
        """Names of functions that never reach an equivalence point."""
        return self.root / "leaf.txt"

    def runtime(self, isa: str) -> list[Path]:
        """Objects and archives that only one ISA's link needs."""
        return sorted((self.root / "rt" / isa).iterdir())


def toolchain(*, plain: bool = False) -> Toolchain:
    """The toolchain of this checkout; built (about two minutes) when missing. Raises `CommandError`, `CompileError`."""
    given = os.environ.get(OVERRIDE)
    root = Path(given) if given else _directory()
    if not (root / "complete").exists():
        if given:
            raise TransprocError(f"{root}: is not a toolchain", hint=f"unset {OVERRIDE}")
        publish(root, _build)
    found = Toolchain(root, plain)
    if plain and not (found.lib / "libc.a").exists():
        publish(found.lib, lambda work: _build_plain(root, work))
    return found


def sources() -> list[Path]:
    """Files and directories that a toolchain is made of."""
    names = ("compile", "dual", "intrinsics", "kernel", "libc")
    recipe = [Path(__file__).with_name(f"{name}.py") for name in names]
    return [*PLUGIN_SOURCES, *LIBRARY_SOURCES, *recipe]


def _directory() -> Path:
    """Named by the digest of its sources; they are read again only if one of them has another time or size."""
    known = home() / "toolchain" / ".digest"
    state = _state(sources())
    try:
        name, _, seen = known.read_text().partition("\n")
    except OSError:
        seen = ""
    if seen != state:
        name = digest(sources())
        _note(known, f"{name}\n{state}")
    return home() / "toolchain" / name


def _state(paths: Iterable[Path]) -> str:
    """Path, time and size of each file."""
    lines = []
    todo = [str(path) for path in paths]
    while todo:
        path = todo.pop()
        found = os.stat(path)  # noqa: PTH116 (a hundred files, at each start of transproc-cc)
        if stat.S_ISDIR(found.st_mode):
            todo += [entry.path for entry in os.scandir(path)]
        else:
            lines.append(f"{path} {found.st_mtime_ns} {found.st_size}")
    return "\n".join(sorted(lines))


def _note(path: Path, text: str) -> None:
    """Writes a file as a whole: others read it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}-{os.getpid()}")
    new.write_text(text)
    new.replace(path)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Only one process at a time works on `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(target: Path, build: Callable[[Path], None]) -> None:
    """Builds in a temporary directory and renames it: a half-made toolchain is never seen.

    One process builds, the others (of a parallel make, say) wait for it.
    """
    with _locked(target):
        if target.exists():
            return
        for left in target.parent.glob(f".{target.name}-*"):  # a build that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as work:
            result = Path(work) / "result"
            result.mkdir()
            build(result)
            result.rename(target)


def _build(root: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from transproc import log  # noqa: PLC0415
    from transproc.toolchain import debian, intrinsics, kernel, libc  # noqa: PLC0415

    with log.step("build the toolchain"):
        with ThreadPoolExecutor(1) as side:
            fetched = side.submit(debian.fetch)
            with log.step("compile the pass"):
                _build_plugin(root)
            fetched.result()
        musl, headers, simde = debian.musl(), debian.kernel(), debian.simde()
        builtins = {isa: debian.builtins(isa) for isa in debian.ARCHITECTURES}
        with log.step("compile the C library") as step:
            made = libc.build(musl, debian.mimalloc(), root, plain=False)
            step.detail = f"{made} files"
        with log.step("runtime"):
            libc.build_runtime(musl, root, builtins)
        kernel.install_headers(headers, libc.OVERLAY / "include" / "asm", root / "include")
        intrinsics.install(simde, RUNTIME / "intrinsics", root / "include")
    (root / "complete").touch()


def _build_plain(root: Path, lib: Path) -> None:
    from transproc import log  # noqa: PLC0415
    from transproc.toolchain import debian, libc  # noqa: PLC0415

    with log.step("compile the C library without sites"):
        libc.build(debian.musl(), debian.mimalloc(), root, plain=True, lib=lib)
        for name in ("transproc.o", "memory.o"):
            shutil.copyfile(root / "lib" / name, lib / name)


def plugin_build() -> Path:
    """Compiles llvm/ and returns the build directory, named by the digest of the sources.

    It has a copy of them: a directory that refers to a checkout would compile what the checkout contains later.
    """
    build = home() / "pass" / digest(PLUGIN_SOURCES)
    publish(build / "source", _copy_plugin)
    # Compiled with clang itself: CC and its like may name transproc-cc.
    environment = {name: value for name, value in os.environ.items() if name not in BUILD_VARIABLES}
    configure: list[str | Path] = [
        "cmake",
        "-G",
        "Ninja",
        "-S",
        build / "source",
        "-B",
        build,
        "-DCMAKE_BUILD_TYPE=Release",
    ]
    with _locked(build):
        if not (build / "build.ninja").exists():
            _make([*configure, *HOST_COMPILERS], environment)
        _make(["nice", "ninja", "-C", build, "transproc", "transproc-codegen"], environment)
    return build


def _copy_plugin(target: Path) -> None:
    for path in PLUGIN_SOURCES:
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        copy(path, target / path.name)


def _build_plugin(root: Path) -> None:
    build = plugin_build()
    for name, place in (("transproc-codegen", "bin"), ("transproc.so", "lib")):
        (root / place).mkdir(exist_ok=True)
        shutil.copy(build / name, root / place / name)


def _make(words: list[str | Path], environment: dict[str, str]) -> None:
    """Runs a build tool, whose messages are on its standard output."""
    done = run(words, env=environment, check=False)
    if done.returncode:
        raise CommandError(
            [str(word) for word in words],
            done.returncode,
            (done.stdout + done.stderr).decode(errors="replace"),
        )


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

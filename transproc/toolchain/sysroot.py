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

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from transproc.errors import CommandError, TransprocError
from transproc.paths import SOURCE, digest, home
from transproc.run import run

RUNTIME = SOURCE / "runtime"
LLVM = SOURCE / "llvm"
PLUGIN_SOURCES = (LLVM / "CMakeLists.txt", LLVM / "include", LLVM / "lib", LLVM / "tools")
LIBRARY_SOURCES = (RUNTIME / "include", RUNTIME / "libc", RUNTIME / "src")
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
        _publish(root, _build)
    found = Toolchain(root, plain)
    if plain and not (found.lib / "libc.a").exists():
        _publish(found.lib, lambda work: _build_plain(root, work))
    return found


def _directory() -> Path:
    recipe = [Path(__file__).with_name(f"{name}.py") for name in ("compile", "debian", "dual", "libc")]
    return home() / "toolchain" / digest([*PLUGIN_SOURCES, *LIBRARY_SOURCES, *recipe])


def _publish(target: Path, build: Callable[[Path], None]) -> None:
    """Builds in a temporary directory and renames it: a half-made toolchain is never seen."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as work:
        result = Path(work) / "result"
        result.mkdir()
        build(result)
        try:
            result.rename(target)
        except OSError:
            if not target.exists():
                raise


def _build(root: Path) -> None:
    from transproc import log  # noqa: PLC0415
    from transproc.toolchain import debian, libc  # noqa: PLC0415

    with log.step("build the toolchain"):
        musl = debian.musl()
        builtins = {isa: debian.builtins(isa) for isa in debian.ARCHITECTURES}
        with log.step("compile the pass"):
            _build_plugin(root)
        with log.step("compile the C library") as step:
            made = libc.build(musl, root, plain=False)
            step.detail = f"{made} files"
        with log.step("runtime"):
            libc.build_runtime(musl, root, builtins)
    (root / "complete").touch()


def _build_plain(root: Path, lib: Path) -> None:
    from transproc import log  # noqa: PLC0415
    from transproc.toolchain import debian, libc  # noqa: PLC0415

    with log.step("compile the C library without sites"):
        libc.build(debian.musl(), root, plain=True, lib=lib)
        for name in ("crt1.o", "transproc.o"):
            if not (lib / name).exists():
                shutil.copyfile(root / "lib" / name, lib / name)


def _build_plugin(root: Path) -> None:
    build = home() / "build" / digest(PLUGIN_SOURCES)
    run(["cmake", "-G", "Ninja", "-S", LLVM, "-B", build, "-DCMAKE_BUILD_TYPE=Release"])
    ninja = ["nice", "ninja", "-C", str(build), "transproc", "transproc-codegen"]
    done = run(ninja, check=False)
    if done.returncode:  # the compiler's messages are on ninja's standard output
        raise CommandError(ninja, done.returncode, (done.stdout + done.stderr).decode(errors="replace"))
    for name, place in (("transproc-codegen", "bin"), ("transproc.so", "lib")):
        (root / place).mkdir(exist_ok=True)
        shutil.copy(build / name, root / place / name)


def parallel(jobs: Iterable[Callable[[], None]]) -> None:
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

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds a toolchain: the pass from `llvm/`, and by it the C library and what else is in a sysroot (`sysroot.py`)."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transproc import log
from transproc.errors import CommandError
from transproc.paths import digest, home
from transproc.run import run
from transproc.toolchain import debian, intrinsics, kernel, making
from transproc.toolchain.libc import headers, library, native

HOST_COMPILERS = ("-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_CXX_COMPILER=clang++-19")
BUILD_VARIABLES = {"CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS"}
"""What a build that calls us may have set for its own compilations."""


def build(root: Path) -> None:
    """Everything into `root`, an empty directory; `complete` comes last. Raises `CommandError`, `CompileError`."""
    with log.step("build the toolchain"):
        with ThreadPoolExecutor(1) as side:
            fetched = side.submit(debian.fetch)
            with log.step("compile the pass"):
                _build_plugin(root)
            fetched.result()
        musl, linux, simde = debian.musl(), debian.kernel(), debian.simde()
        builtins = {isa: debian.builtins(isa) for isa in debian.ARCHITECTURES}
        with log.step("compile the C library") as step:
            made = library.build(musl, debian.mimalloc(), root, plain=False)
            step.detail = f"{made} files"
        with log.step("runtime"):
            native.build(musl, root, builtins)
        kernel.install_headers(linux, headers.OVERLAY / "include" / "asm", root / "include")
        intrinsics.install(simde, making.RUNTIME / "intrinsics", root / "include")
    (root / "complete").touch()


def build_plain(root: Path, lib: Path) -> None:
    """Into `lib` the library without sites, for a finished toolchain."""
    with log.step("compile the C library without sites"):
        library.build(debian.musl(), debian.mimalloc(), root, plain=True, lib=lib)
        for name in ("transproc.o", "memory.o"):
            shutil.copyfile(root / "lib" / name, lib / name)


def plugin_build() -> Path:
    """Compiles llvm/ and returns the build directory, named by the digest of the sources.

    It has a copy of them: a directory that refers to a checkout would compile what the checkout contains later.
    """
    place = home() / "pass" / digest(making.PLUGIN_SOURCES)
    making.publish(place / "source", _copy_plugin)
    # Compiled with clang itself: CC and its like may name transproc-cc.
    environment = {name: value for name, value in os.environ.items() if name not in BUILD_VARIABLES}
    configure: list[str | Path] = [
        "cmake",
        "-G",
        "Ninja",
        "-S",
        place / "source",
        "-B",
        place,
        "-DCMAKE_BUILD_TYPE=Release",
    ]
    with making.locked(place):
        if not (place / "build.ninja").exists():
            _make([*configure, *HOST_COMPILERS], environment)
        _make(["nice", "ninja", "-C", place, "transproc", "transproc-codegen"], environment)
    return place


def _copy_plugin(target: Path) -> None:
    for path in making.PLUGIN_SOURCES:
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

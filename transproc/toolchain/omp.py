# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The OpenMP library: libomp of LLVM's sources, compiled by the pass when a program is linked with -fopenmp for the first time.

    openmp-headers-DIGEST/include/omp.h     for who compiles only
    openmp-DIGEST/lib/libomp.a              for who links

It is configured for LoongArch, whose calling convention the front end has, and for which libomp has no code of its own but
the call of a parallel region's function with any number of arguments: `runtime/openmp` has that in C.
"""

from __future__ import annotations

import re
import shutil
import sys
from functools import partial
from pathlib import Path

from transproc import log
from transproc.paths import digest
from transproc.run import run
from transproc.toolchain import archive, cxx, debian
from transproc.toolchain.compile import Codegen, compile_c
from transproc.toolchain.making import RUNTIME, parallel, publish
from transproc.toolchain.sysroot import Toolchain

OWN = RUNTIME / "openmp"
LIBRARY = "libomp.a"
OTHER_SYSTEMS = re.compile(
    r"z_Windows.*|ompd-.*|ompt-.*|kmp_stats.*|kmp_debugger|kmp_stub|kmp_dummy|kmp_ftn_stdcall|extract.*|test-.*"
)
"""Files that libomp's build leaves out on Linux, with the settings below."""

VERSION = {
    "VERSION_MAJOR": "5",
    "VERSION_MINOR": "0",
    "VERSION_BUILD": "20140926",
    "BUILD_DATE": "No_Timestamp",
}
SETTINGS = {"LIBOMP_HAVE_WEAK_ATTRIBUTE", "LIBOMP_HAVE_ALIGNED_ALLOC", "LIBOMP_HAVE_POSIX_MEMALIGN"}
"""What its build system finds out about us; all else is 0."""

FLAGS = (
    *("-O2", "-std=c++17", "-w", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"),
    *("-D__loongarch__=1", "-D__loongarch_grlen=64", "-D_GNU_SOURCE", "-D_REENTRANT"),
)


def headers(tools: Toolchain) -> Path:
    """The directory of omp.h; made (at once) when missing. Raises `CommandError`."""
    place = tools.root / f"openmp-headers-{digest([Path(__file__)])}"
    if not place.is_dir():
        publish(place, _install_headers)
    return place / "include"


def library(tools: Toolchain) -> Path:
    """The directory of the library; made (half a minute) when missing. Raises `CommandError`, `CompileError`."""
    place = tools.root / f"openmp-{digest([OWN, Path(__file__)])}{'-plain' if tools.plain else ''}"
    if not place.is_dir():
        publish(place, partial(_build, tools))
    return place


def _build(tools: Toolchain, root: Path) -> None:
    with log.step("compile the OpenMP library (once)") as step:
        source = debian.llvm() / "openmp/runtime/src"
        work = root / "objects"
        for path in (work, root / "lib"):
            path.mkdir()
        _configure(source, work)
        names = [path for path in sorted(source.glob("*.cpp")) if not OTHER_SYSTEMS.fullmatch(path.stem)]
        files = [*names, *sorted(OWN.glob("*.c"))]
        include = [f"-I{place}" for place in (work, source, source / "i18n", headers(tools))]
        c_headers = [*include, "-isystem", str(tools.include)]
        cxx_headers = [*FLAGS, *cxx.library(tools).front_end]
        codegen = Codegen(
            tools.codegen, plain=tools.plain, leaf_list=None if tools.plain else tools.leaf_list
        )
        outputs = {path: work / f"{path.stem}.o" for path in files}
        parallel(
            partial(
                compile_c,
                path,
                outputs[path],
                [*(cxx_headers if path.suffix == ".cpp" else ["-O2"]), *c_headers],
                codegen,
            )
            for path in sorted(files, key=lambda path: -path.stat().st_size)
        )
        run([archive.AR, "rcs", root / "lib" / LIBRARY, *sorted(outputs.values())])
        archive.write_index(root / "lib" / LIBRARY)
        for name in ("gomp", "iomp5"):
            (root / "lib" / f"lib{name}.a").write_bytes(archive.MAGIC)
        shutil.rmtree(work)
        step.detail = f"{len(files)} files"


def _install_headers(root: Path) -> None:
    include = root / "include"
    include.mkdir()
    (include / "omp.h").write_text(
        _fill((debian.llvm() / "openmp/runtime/src/include/omp.h.var").read_text())
    )


def _configure(source: Path, work: Path) -> None:
    """The library's own generated headers, as libomp's CMakeLists.txt makes them."""
    converter = source.parent / "tools/message-converter.py"
    messages = source / "i18n/en_US.txt"
    for option, name in (("enum", "kmp_i18n_id.inc"), ("default", "kmp_i18n_default.inc")):
        run([sys.executable, converter, f"--{option}={work / name}", messages])
    text = (source / "kmp_config.h.cmake").read_text()
    text = re.sub(
        r"#cmakedefine01 (\w+)", lambda found: f"#define {found[1]} {int(found[1] in SETTINGS)}", text
    )
    (work / "kmp_config.h").write_text(_fill(text))


def _fill(text: str) -> str:
    values = {f"LIBOMP_{name}": value for name, value in VERSION.items()}
    values |= {"LIBOMP_LEGAL_ARCH": "transproc", "LIBOMP_LIB_FILE": LIBRARY}
    return re.sub(r"@(\w+)@", lambda found: values.get(found[1], ""), text)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Suites of programs that nobody here wrote: LLVM's test-suite, the NAS Parallel Benchmarks in C (without threads), PolyBench/C.

Of LLVM's, sources, flags and arguments are read from its own CMakeLists.txt.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transproc.errors import TransprocError
from transproc.run import run

BENCHMARKS = Path("MultiSource/Benchmarks")
GROUPS = (
    *("ASC_Sequoia", "BitBench", "DOE-ProxyApps-C", "Fhourstones-3.1", "FreeBench", "McCat", "MiBench"),
    *("NPB-serial", "Olden", "Ptrdist", "Rodinia", "SciMark2-C", "Trimaran", "VersaBench", "llubenchmark"),
    *("mafft", "nbench", "sim"),
)
"""C only; what is left out is C++, or a driver for many programs."""
CXX_GROUPS = ("DOE-ProxyApps-C++", "tramp3d-v4")
CXX_SINGLE = ("Adobe-C++", "Misc-C++", "Misc-C++-EH", "Shootout-C++", "SmallPT")
"""Programs of several files, and of one each (below SingleSource/Benchmarks)."""
CXX_TIMES = re.compile(rb"[0-9.]+ (sec|ns|s)\b.*|[Tt]ime.*")
NPB_SETTER = Path("sys/setparams.c")
NPB_SIZES = {"bt": "W", "cg": "A", "ep": "A", "ft": "A", "is": "A", "lu": "W", "mg": "A", "sp": "W"}
"""A few seconds each."""
NPB_TIMES = re.compile(
    rb"^ *(Initialization time|CPU Time|Time in seconds|Mop/s total|Compile date)[ :].*$", re.MULTILINE
)
POLYBENCH_LIST = Path("utilities/benchmark_list")


@dataclass(frozen=True)
class Program:
    """One directory of the suite."""

    name: str
    directory: Path
    sources: tuple[str, ...]
    flags: tuple[str, ...]
    arguments: tuple[str, ...]
    stdin: str | None
    varying: re.Pattern[bytes] | None = None
    """What may differ in its output."""
    cxx: bool = False


def cxx_programs(suite: Path) -> Iterator[Program]:
    """Those of LLVM's test-suite that are C++. Raises `TransprocError` if it is another suite."""
    root, single = suite / BENCHMARKS, suite / "SingleSource/Benchmarks"
    if not root.exists():
        raise TransprocError(f"{suite}: has no C++", hint="--src: LLVM's test-suite")
    for group in CXX_SINGLE:
        for source in sorted((single / group).rglob("*.cpp")):
            name = "/".join(source.relative_to(single).with_suffix("").parts)
            yield Program(name, source.parent, (source.name,), (), (), None, CXX_TIMES, cxx=True)
    for group in CXX_GROUPS:
        for recipe in sorted((root / group).rglob("CMakeLists.txt")):
            text = _chosen(recipe.read_text(errors="replace"))
            if "llvm_multisource(" in text:
                yield _program(root, recipe.parent, text, cxx=True)


def programs(suite: Path, work: Path) -> Iterator[Program]:
    """Those of a suite, which is recognised by a file of it; what it generates goes to `work`.

    Raises `TransprocError` if it is none.
    """
    for mark, reader in ((BENCHMARKS, _llvm), (NPB_SETTER, _npb), (POLYBENCH_LIST, _polybench)):
        if (suite / mark).exists():
            return reader(suite, work)
    raise TransprocError(
        f"{suite}: no suite that is known", hint="--src: LLVM's test-suite, NPB in C, or PolyBench/C"
    )


def _llvm(suite: Path, work: Path) -> Iterator[Program]:
    del work
    root = suite / BENCHMARKS
    for group in GROUPS:
        for recipe in sorted((root / group).rglob("CMakeLists.txt")):
            text = _chosen(recipe.read_text(errors="replace"))
            if "llvm_multisource(" in text:
                yield _program(root, recipe.parent, text)


def _program(root: Path, directory: Path, text: str, *, cxx: bool = False) -> Program:
    words = _words(text, rf"list\(APPEND\s+(?:CPPFLAGS|{'CXXFLAGS' if cxx else 'CFLAGS'})\s+([^)]*)\)")
    suffixes = (".cpp", ".cc", ".C") if cxx else (".c",)
    words += _words(text, r"add_definitions\(([^)]*)\)")
    includes = [f"-I{directory / word}" for word in _words(text, r"include_directories\(([^)]*)\)")]
    options = re.findall(r"set\(RUN_OPTIONS\s+([^)]*)\)", text)
    before, _, stdin = (options[-1] if options else "").partition("<")
    listed = [
        word
        for word in _words(text, r"(?:llvm_multisource|set)\(\s*(?:Source|\S+)\s([^)]*)\)")
        if word.endswith(suffixes)
    ]
    found = sorted(path.name for path in directory.iterdir() if path.suffix in suffixes)
    return Program(
        "/".join(directory.relative_to(root).parts),
        directory,
        tuple(listed or found),
        ("-I.", f"-I{root / 'Rodinia/Common'}", *map(_quoted, words), *includes),
        tuple(shlex.split(before.replace("${CMAKE_CURRENT_SOURCE_DIR}", "."))),
        stdin.strip() or None,
        CXX_TIMES if cxx else None,
        cxx=cxx,
    )


def _words(text: str, pattern: str) -> list[str]:
    return [
        word.replace("${CMAKE_CURRENT_SOURCE_DIR}", ".")
        for found in re.findall(pattern, text)
        for word in shlex.split(found)
    ]


def _quoted(flag: str) -> str:
    """CMake passes -DNAME="text" on with its quotes."""
    return re.sub(r"^-D(VERSION|COMPDATE|CFLAGS|HOSTNAME)=(.*)$", r'-D\1="\2"', flag)


def _chosen(text: str) -> str:
    """The lines for a machine like this and the usual problem size: of LARGE, SMALL and other machines the other branch."""
    lines, taken = [], [True]
    for line in text.splitlines():
        word = line.strip().lower()
        if re.match(r"if\s*\(", word):
            taken.append(
                not re.search(r"large_problem|small_problem|arch|mips|target_os|msvc|host|windows", word)
            )
        elif re.match(r"else\s*\(", word):
            taken[-1] = not taken[-1]
        elif re.match(r"elseif", word):
            taken[-1] = False
        elif re.match(r"endif", word):
            taken.pop()
        elif all(taken):
            lines.append(line.partition("#")[0])
    return "\n".join(lines)


def _npb(suite: Path, work: Path) -> Iterator[Program]:
    """Each kernel's size is in a header that the suite's own program writes into a copy."""
    copy = work / "npb"
    shutil.copytree(suite, copy, dirs_exist_ok=True)
    (copy / "config/make.def").write_text("CC = cc\nCLINK = cc\nRAND = randdp\n")
    run(["clang-19", "-std=gnu89", "-w", "-o", copy / "sys/setparams", copy / NPB_SETTER])
    common = [f"../common/{name}.c" for name in ("c_print_results", "c_timers", "wtime")]
    for name, size in NPB_SIZES.items():
        directory = copy / name.upper()
        run(["../sys/setparams", name, size], cwd=directory)
        random = ["../common/c_randdp.c"] if "${RAND}" in (directory / "Makefile").read_text() else []
        yield Program(
            f"{name}.{size}",
            directory,
            (f"{name}.c", *random, *common),
            ("-std=gnu89", "-I../common"),
            (),
            None,
            NPB_TIMES,
        )


def _polybench(suite: Path, work: Path) -> Iterator[Program]:
    del work
    for line in (suite / POLYBENCH_LIST).read_text().split():
        source = suite / line
        flags = (f"-I{suite / 'utilities'}", "-DLARGE_DATASET")
        sources = (source.name, str(suite / "utilities/polybench.c"))
        yield Program(source.stem, source.parent, sources, flags, (), None)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc-cc`, `transproc-c++`: compilers of C and C++ whose programs can move between ISAs, in place of cc and c++ in make,
autoconf and CMake builds.

    transproc-cc -O2 -c a.c          a.o, a dual object
    transproc-cc a.o b.c -o prog     prog.x86_64, prog.aarch64, and prog for this machine
    ./configure CC=transproc-cc      make, autoconf
    cmake --toolchain $(transproc-cc --print-cmake-toolchain)
    meson setup --native-file $(transproc-cc --print-meson-native) build

    transproc-c++ -fopenmp a.cc      OpenMP, for processors
    transproc-cc -c a.f90            Fortran, without its run-time library

Processors, for both ISAs:

    -march=x86-64-v2                 with armv8-a: what is meant without it; x86-64: for older ones
    -march=x86-64-v3                 with armv8.2-a; both fuse x * y + z where the source allows it
    -ffp-contract=off                as for clang: the source does not; decided once for both, whatever the level
    -mtune=znver3                    what is fast on a processor of either ISA

Exit status: 0, or 1 with the compiler's or linker's own messages on standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path

from transproc.errors import CompileError, TransprocError, UnsupportedError
from transproc.toolchain import compile as compiling
from transproc.toolchain import front, quick
from transproc.toolchain.invocation import ASSEMBLY, COMBINED, OBJECT, PREPROCESS, PROGRAM, SYNTAX, Invocation
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import Toolchain, toolchain

MACHINE = "x86_64-linux-musl"
"""What -dumpmachine says: configure scripts know it, and it is where the build runs."""

COMPILED = ("c", "c++", "fortran", "asm")
"""Kinds of inputs that are compiled."""

NOT_LEAF = "--not-leaf="
"""An option of transproc-codegen."""

_CXX_LIBRARIES = {
    ("library", name) for name in ("c++", "stdc++", "c++abi", "supc++", "unwind", "gcc_eh", "gcc_s")
}

TOOL_FILES = {"print-cmake-toolchain": "transproc.cmake", "print-meson-native": "transproc.meson"}
"""Questions whose answer is a file beside this one."""


def main() -> None:
    """Entry point."""
    try:
        invocation = parse(sys.argv[1:], cxx=Path(sys.argv[0]).name.endswith("++"))
        if invocation.query:
            _answer(invocation.query)
        elif invocation.verbose and not invocation.inputs:
            print(_version(), file=sys.stderr)
        else:
            execute(invocation, toolchain(plain=invocation.plain))
            if invocation.mode in (OBJECT, PREPROCESS) and not invocation.cxx:
                from transproc.toolchain import plan  # noqa: PLC0415 (once for each kind of command line)

                plan.remember(sys.argv[1:], _planned)
    except CompileError as error:
        sys.stderr.write(error.said)
        sys.exit(1)
    except TransprocError as error:
        sys.stderr.write(f"transproc-cc: error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"transproc-cc: note: {error.hint}\n")
        sys.exit(1)
    except OSError as error:  # a directory that is not there, a full disk
        if error.filename is None:
            raise
        sys.stderr.write(f"transproc-cc: error: {error.filename}: {error.strerror}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def execute(invocation: Invocation, tools: Toolchain) -> None:
    """Does what the command line says."""
    if not invocation.inputs:
        raise TransprocError("no input files")
    for note in invocation.notes:
        sys.stderr.write(f"transproc-cc: note: {note}\n")
    sources = [word for kind, word in invocation.inputs if kind in COMPILED]
    if headers := [word for kind, word in invocation.inputs if kind == "header"]:
        if invocation.mode not in (PREPROCESS, SYNTAX):
            raise UnsupportedError(
                f"{headers[0]}: headers are not precompiled",
                hint="leave that step out (CMake: -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON): headers are read as they are",
            )
        sources += headers
    if fortran := [word for kind, word in invocation.inputs if kind == "fortran"]:
        _refuse_fortran(invocation, fortran[0])
    if invocation.output and len(sources) > 1 and invocation.mode in (OBJECT, ASSEMBLY):
        raise TransprocError("-o cannot be used with -c or -S and several files")
    if invocation.mode in (PREPROCESS, SYNTAX):
        front.run_alone(invocation, tools, sources)
    elif invocation.mode in (PROGRAM, COMBINED):
        _program(invocation, tools)
    else:
        suffix = ".o" if invocation.mode == OBJECT else ".s"
        for kind, word in invocation.inputs:
            if kind in COMPILED:
                output = Path(invocation.output or Path(word).stem + suffix)
                _compile(invocation, tools, kind, word, output)


def _planned(words: list[str]) -> tuple[list[str], list[str] | None] | None:
    """What is run for a command line of one C file whose names are `quick`'s tokens; None if that is not all that is done."""
    invocation = parse(words)
    told = invocation.verbose or invocation.query or invocation.notes
    if told or invocation.inputs != [("c", quick.SOURCE)]:
        return None
    tools = toolchain(plain=invocation.plain)
    if invocation.mode == PREPROCESS:
        return front.words_alone(invocation, tools, [quick.SOURCE]), None
    if invocation.mode != OBJECT or invocation.output != quick.OUTPUT:
        return None
    options = [
        *front.options_for(invocation, tools, "c"),
        *front.dependencies(invocation, Path(quick.OUTPUT)),
    ]
    codegen = compiling.back_end_words(_codegen(invocation, tools), quick.BITCODE, quick.HALVES)
    return compiling.front_end_words(quick.SOURCE, quick.BITCODE, options), codegen


def _refuse_fortran(invocation: Invocation, word: str) -> None:
    if invocation.mode in (PREPROCESS, SYNTAX, ASSEMBLY) or invocation.depend:
        raise UnsupportedError(
            f"{word}: Fortran is compiled (-c) and linked only",
            hint="flang-new-19 checks, preprocesses and shows what it makes of a file",
        )


def _fortran_options(invocation: Invocation) -> list[str]:
    return ["-fopenmp" if word == "-fopenmp=libomp" else word for word in invocation.front]


def _uses_cxx(invocation: Invocation) -> bool:
    """Whether C++'s library, or what belongs to it, is wanted."""
    if len(invocation.without) > 1:
        return False
    return invocation.cxx or any(
        kind == "c++" or (kind, word) in _CXX_LIBRARIES for kind, word in invocation.inputs
    )


def _named(invocation: Invocation, word: str) -> Path:
    """What dependencies are named after, as clang does it: what -o says, also if that is a program, or the source's object."""
    return Path(invocation.output or f"{Path(word).stem}.o")


def _codegen(invocation: Invocation, tools: Toolchain) -> compiling.Codegen:
    return compiling.Codegen(
        tools.codegen,
        level=invocation.level,
        plain=invocation.plain,
        debug=invocation.debug,
        leaf_list=None if invocation.plain else _leaf_list(invocation, tools),
        extra=tuple(invocation.codegen),
    )


def _leaf_list(invocation: Invocation, tools: Toolchain) -> Path:
    return front.cxx_library(tools).leaf_list if _uses_cxx(invocation) else tools.leaf_list


def _compile(invocation: Invocation, tools: Toolchain, kind: str, word: str, output: Path) -> None:
    if kind == "asm":
        from transproc.toolchain import assembly  # noqa: PLC0415 (seldom needed)

        options = ["-Wno-unused-command-line-argument", *front.options_for(invocation, tools, "asm")]
        messages = assembly.assemble(Path(word), output, options, _codegen(invocation, tools))
    elif kind == "fortran":
        from transproc.toolchain import fortran  # noqa: PLC0415 (seldom needed)

        messages = fortran.compile_fortran(
            word, output, _fortran_options(invocation), _codegen(invocation, tools)
        )
    else:
        dependencies = front.dependencies(invocation, _named(invocation, word))
        options = [*front.options_for(invocation, tools, kind), *dependencies]
        codegen = _codegen(invocation, tools)
        compiler = compiling.compile_to_assembly if invocation.mode == ASSEMBLY else compiling.compile_c
        try:
            messages = compiler(word, output, options, codegen)
        except CompileError as error:
            raise CompileError(
                front.with_remedies(front.with_places(error.said, word, options), kind)
            ) from error
    if messages:
        sys.stderr.write(front.with_remedies(messages, kind))


def _program(invocation: Invocation, tools: Toolchain) -> None:
    from transproc.scratch import Scratch  # noqa: PLC0415 (not needed by -c)
    from transproc.toolchain.link import Wishes, link  # noqa: PLC0415
    from transproc.toolchain.partial import combine  # noqa: PLC0415

    output = Path(invocation.output or "a.out")
    with Scratch() as work:
        objects = []
        whole = set()
        for number, (kind, word) in enumerate(invocation.inputs):
            if kind in COMPILED:
                place = work / str(number)
                place.mkdir()
                objects.append(place / f"{Path(word).stem}.o")
                _compile(invocation, tools, kind, word, objects[-1])
            elif kind == "library":
                objects.append(_library(word, invocation, tools))
            else:
                objects.append(Path(word))
            if number in invocation.whole:
                whole.add(objects[-1])
        if invocation.mode == COMBINED:
            combine(objects, output)
            return
        if _uses_cxx(invocation) and "-nostdlib++" not in invocation.without:
            objects += front.cxx_library(tools).archives()
        if invocation.openmp:
            objects.append(front.omp_library(tools) / "lib" / "libomp.a")
        not_leaves = [word.removeprefix(NOT_LEAF) for word in invocation.codegen if word.startswith(NOT_LEAF)]
        unwinder = None if invocation.without else lambda: front.cxx_library(tools).directory / "libc++abi.a"
        wishes = Wishes(invocation.strip, invocation.link, invocation.undefined, whole, not_leaves, unwinder)
        for note in link(objects, output, tools, wishes):
            sys.stderr.write(f"transproc-cc: note: {note}\n")


def _library(name: str, invocation: Invocation, tools: Toolchain) -> Path:
    if name == "c++":
        return front.cxx_library(tools).standard()
    file = name[1:] if name.startswith(":") else f"lib{name}.a"
    places = [*map(Path, invocation.library_paths), tools.lib]
    if _uses_cxx(invocation):
        places.append(front.cxx_library(tools).directory)
    if invocation.openmp or name in ("omp", "gomp", "iomp5"):
        places.append(front.omp_library(tools) / "lib")
    for place in places:
        if (place / file).exists():
            return place / file
    raise UnsupportedError(
        f"-l{name}: {file} not found",
        hint="compile the library with transproc-cc, as an archive, and name its directory with -L",
    )


def _version() -> str:
    from transproc.run import output  # noqa: PLC0415

    return f"transproc-cc, for x86_64 and aarch64\n{output([compiling.CLANG, '--version']).splitlines()[0]}\nTarget: {MACHINE}"


def _answer(query: str) -> None:
    """Questions that configure scripts ask."""
    name, _, value = query.lstrip("-").partition("=")
    if name == "dumpmachine":
        print(MACHINE)
    elif name in ("dumpversion", "dumpfullversion"):
        print("19")
    elif name == "print-file-name":
        path = toolchain().lib / value
        print(path if path.exists() else value)
    elif name == "print-prog-name":
        print(value)
    elif name == "print-search-dirs":
        print(f"libraries: ={toolchain().lib}")
    elif name == "print-sysroot":
        print(toolchain().root)
    elif name in TOOL_FILES:
        print(Path(__file__).with_name(TOOL_FILES[name]))
    elif name in ("Wl,--version", "Wl,-v"):
        from transproc.run import output  # noqa: PLC0415
        from transproc.toolchain.link import LD  # noqa: PLC0415

        print(output([LD, "--version"]), end="")
    elif name in ("version", "help"):
        print(_version() if name == "version" else __doc__)
    else:
        print()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line of `transproc-cc`: what each option of cc means here.

Options go to the front end as they are unless a table below says otherwise. What only changes how native code is made
(-fPIC, -flto) is ignored, because the pipeline decides it; what cannot be had (-shared) is refused. `machine` has the
options -m…, `linker` what is for the linker.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from transproc.errors import TransprocError, UnsupportedError
from transproc.toolchain import linker, machine
from transproc.toolchain.invocation import ASSEMBLY, COMBINED, OBJECT, PREPROCESS, SYNTAX, Invocation
from transproc.toolchain.remedies import NO_MODULES

SEPARATE = {
    *(
        "-I",
        "-D",
        "-U",
        "-include",
        "-imacros",
        "-isystem",
        "-iquote",
        "-idirafter",
        "-Xclang",
        "-Xpreprocessor",
    ),
    *("-iprefix", "-iwithprefix", "-iwithprefixbefore", "-isysroot", "-J", "-module-dir"),
}
"""Options of the front end that take the next word."""

IGNORED = re.compile(
    r"-f(no-)?(pic|PIC|pie|PIE|plt|lto(=.*)?|stack-protector(-.*)?|stack-clash-protection|cf-protection(=.*)?|asynchronous-"
    r"unwind-tables|unwind-tables|omit-frame-pointer|function-sections|data-sections|semantic-interposition|use-linker-plugin|"
    r"fat-lto-objects|use-ld=.*|ident|jump-tables)|-(no-)?pie|-static|-static-pie|-static-libgcc|-rdynamic|-pipe|-save-temps(=.*)?|"
    r"-no-canonical-prefixes|-export-dynamic|-no-integrated-cpp"
)
QUERIES = re.compile(
    r"--version|-Wl,(--version|-v)|-dumpmachine|-dumpversion|-dumpfullversion|--help|-print-.*|--print-.*"
)
CXX = (".cc", ".cp", ".cxx", ".cpp", ".c++", ".CPP", ".C", ".ii")
"""Ends of the names of C++ files."""
FORTRAN = tuple(
    f".{name}" for word in ("f", "for", "f90", "f95", "f03", "f08") for name in (word, word.upper())
)
"""Ends of the names of Fortran files."""
SOURCES = {
    ".c": "c",
    ".i": "c",
    **dict.fromkeys(CXX, "c++"),
    **dict.fromkeys(FORTRAN, "fortran"),
    **dict.fromkeys((".h", ".hh", ".hpp", ".hxx", ".H"), "header"),
    ".s": "asm",
    ".S": "asm",
    ".sx": "asm",
    ".o": "object",
    ".a": "object",
    ".obj": "object",
    ".lo": "object",
}
MODULES = re.compile(
    r".*\.(cppm|cxxm|c\+\+m|ccm|ixx|pcm)|c\+\+-module.*|c\+\+-(user|system)-header|c\+\+-header-unit.*"
)
"""Names of files with C++ modules, and of their languages."""
LANGUAGES = {
    "c": "c",
    "cpp-output": "c",
    "c-header": "header",
    "c++": "c++",
    "c++-cpp-output": "c++",
    "c++-header": "header",
    "assembler": "asm",
    "assembler-with-cpp": "asm",
    "none": None,
}
MODES = {
    "-c": OBJECT,
    "-S": ASSEMBLY,
    "-E": PREPROCESS,
    "-M": PREPROCESS,
    "-MM": PREPROCESS,
    "-fsyntax-only": SYNTAX,
    "-r": COMBINED,
}
LEVELS = {"-O": "-O1", "-Og": "-O1", "-Ofast": "-O3", "-O4": "-O3"}

REFUSED = [
    (
        r"--?emit-.*",
        "a file is compiled to code for two ISAs: clang-19 shows what a front end makes of it",
    ),
    (r"-fopenmp-targets=.*|-fopenmp=.*|-fopenacc.*", "OpenMP is libomp's (-fopenmp), for processors only"),
    (
        r"-f(cxx-)?modules?(|-.*|=.*)|-fprebuilt-(module-path=.*|implicit-modules)|-fimplicit-module(s|-maps)|--precompile|"
        r"-fbuiltin-module-map|-fexperimental-modules.*",
        NO_MODULES,
    ),
    (r"-fcoroutines-ts", "coroutines are a part of C++20: -std=c++20"),
    (r"--?stdlib=.*", "the C++ library is libc++"),
    (
        r"-shared|-dynamiclib",
        "programs are static: link the objects into the program, or make an archive with ar",
    ),
    (
        r"-fsanitize=.*|-pg|--coverage|-fprofile-(?!use).*|-finstrument-functions|-fsplit-stack",
        "it needs a runtime library of one ISA",
    ),
    (
        r"-nostdlib|-nodefaultlibs|-nostartfiles|-e|-T|--target=.*|-target|--sysroot=.*|-T.+",
        "the C library and the layout are fixed",
    ),
]
"""Options that cannot work, and why."""


def _expand(words: list[str]) -> Iterator[str]:
    """Replaces @file by the words in it, as gcc does."""
    for word in words:
        if word.startswith("@") and Path(word[1:]).is_file():
            yield from _expand(shlex.split(Path(word[1:]).read_text()))
        else:
            yield word


def parse(words: list[str], *, cxx: bool = False) -> Invocation:
    """Parses a command line, without the program's name. Raises `UnsupportedError` for options that are refused."""
    result = Invocation(cxx=cxx)
    rest = list(_expand(words))
    if "-r" in rest:  # nothing is added to what is only combined
        rest = [word for word in rest if word not in ("-nostdlib", "-nodefaultlibs", "-nostartfiles")]
    while rest:
        word = rest.pop(0)
        _word(result, word, lambda word=word: _next(word, rest))  # type: ignore[misc]
    return result


def _next(option: str, rest: list[str]) -> str:
    if not rest:
        raise TransprocError(f"{option}: needs an argument")
    return rest.pop(0)


def _word(result: Invocation, word: str, following: Callable[[], str]) -> None:
    if not word.startswith("-") or word == "-":
        _input(result, word)
    elif word in MODES:
        _mode(result, word)
    elif QUERIES.fullmatch(word):
        result.query = word
    elif word in SEPARATE:
        result.option(word, following())
    elif found := machine.meaning(word):
        result.option(*found.front)
        result.codegen = machine.without(result.codegen, found.codegen) + list(found.codegen)
        result.notes += [found.note] if found.note else []
    elif not (_own(result, word, following) or _joined(result, word, following) or IGNORED.fullmatch(word)):
        _refuse(word)
        result.option(word)
        result.debug |= word.startswith("-g") and word not in ("-g0", "-gline-tables-only")


def _mode(result: Invocation, word: str) -> None:
    result.mode = MODES[word]
    if word in ("-M", "-MM"):
        result.option(word)


def _input(result: Invocation, word: str) -> None:
    kind = result.language or SOURCES.get(Path(word).suffix)
    if kind == "c" and result.cxx and not result.language:
        kind = "c++"
    if word == "-" and not kind:
        kind = "c" if result.mode == PREPROCESS else None
    if kind is None and MODULES.fullmatch(word):
        raise UnsupportedError(f"{word}: not supported", hint=NO_MODULES)
    if kind is None and re.search(r"\.so(\.[\d.]+)?$", word):
        raise UnsupportedError(
            f"{word}: shared libraries cannot be used",
            hint="link the library's archive (.a), compiled by transproc-cc",
        )
    if kind is None and Path(word).suffix in {".m", ".mm"}:
        raise UnsupportedError(
            f"{word}: only C, C++ and Fortran can be compiled",
            hint="transproc-cc has no front end for this language yet",
        )
    result.add(kind or "object", word)


def _own(result: Invocation, word: str, following: Callable[[], str]) -> bool:
    """Options that are a word of their own."""
    if word == "-o":
        result.output = following()
    elif word == "-v":
        result.verbose = True
    elif word == "-s":
        result.strip = True
    elif word in ("-MD", "-MMD"):
        result.depend = word
    elif word in ("-MF", "-MT", "-MQ"):
        result.depend_named.add(word)
        result.option(word, following())
    elif word == "-x":
        _language(result, following())
    elif word in ("-l", "-L"):
        return _joined(result, word + following(), following)
    elif word == "-Xlinker":
        linker.take(result, following())
    elif word == "-Xarch":
        result.codegen += machine.for_isa(following(), following())
    elif word.startswith("-Xarch_"):
        result.codegen += machine.for_isa(word.removeprefix("-Xarch_"), following())
    elif word == "-Xtransproc":
        _to_codegen(result, following())
    elif word in ("-fopenmp", "-fopenmp=libomp"):
        result.openmp = True
        result.option("-fopenmp=libomp")
    elif word in ("-nostdinc++", "-nostdlib++"):
        result.without.add(word)
    elif word in ("-stdlib=libc++", "--stdlib=libc++"):
        pass
    elif word == "-pthread":
        result.option("-D_REENTRANT")
    elif word in ("-u", "-z"):
        linker.value_of(result, word[1], following())
    else:
        return False
    return True


def _joined(result: Invocation, word: str, following: Callable[[], str]) -> bool:
    """Options whose value is joined to them."""
    if re.fullmatch(r"-O\w*", word):
        result.level = LEVELS.get(word, word)
        result.option(word)
    elif word.startswith("-l"):
        result.add("library", word[2:])
    elif word.startswith("-L"):
        result.library_paths.append(word[2:])
    elif word.startswith("-u") and word[2:].isidentifier() and word != "-undef":
        result.undefined.append(word[2:])
    elif word.startswith("-x"):
        _language(result, word[2:])
    elif word.startswith("-o"):
        result.output = word[2:]
    elif word.startswith("-Wl,"):
        for item in word.split(",")[1:]:
            linker.take(result, item)
    elif word.startswith("-Wa,"):
        raise UnsupportedError(f"{word}: there is no assembler to pass it to")
    else:
        return False
    return True


def _language(result: Invocation, name: str) -> None:
    if MODULES.fullmatch(name):
        raise UnsupportedError(f"-x {name}: not supported", hint=NO_MODULES)
    if name not in LANGUAGES:
        raise UnsupportedError(f"-x {name}: only C and C++ can be compiled")
    result.language = LANGUAGES[name]


def _to_codegen(result: Invocation, option: str) -> None:
    if option == "--plain":
        result.plain = True
    else:
        result.codegen.append(option)


def _refuse(word: str) -> None:
    for pattern, why in REFUSED:
        if re.fullmatch(pattern, word):
            raise UnsupportedError(f"{word}: not supported", hint=why)

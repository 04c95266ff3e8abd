# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What clang, as the front end, is told for a command line of `transproc-cc`, and what of its messages is passed on.

Nothing here is imported that a compilation of C could do without.
"""

from __future__ import annotations

import sys
from pathlib import Path

from transproc.errors import CompileError
from transproc.toolchain import compile as compiling
from transproc.toolchain.invocation import SYNTAX, Invocation
from transproc.toolchain.sysroot import Toolchain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from transproc.toolchain import cxx

_WITHOUT_MODULES = ("-Xclang", "-fno-cxx-modules")
"""Of C++20: an interface would be compiled, but nobody could import it."""


def options_for(invocation: Invocation, tools: Toolchain, kind: str) -> list[str]:
    """The command line's options for a file, and where its language has its headers."""
    headers = [] if "-nostdinc" in invocation.front else ["-isystem", str(tools.include)]
    if kind == "c++":
        none = "-nostdinc++" in invocation.without
        headers = [*(["-nostdinc++"] if none else cxx_library(tools).front_end), *headers, *_WITHOUT_MODULES]
    if invocation.openmp:
        headers = ["-isystem", str(_omp_headers(tools)), *headers]
    named = ["-x", kind] if kind != "asm" and (invocation.language or invocation.cxx) else []
    return [*invocation.front, *compiling.unused(headers), *named]


def language(invocation: Invocation) -> str:
    """Of all inputs, where the front end alone reads them."""
    kinds = {kind for kind, _ in invocation.inputs}
    return "c++" if "c++" in kinds or (invocation.cxx and "header" in kinds) else "c"


def dependencies(invocation: Invocation, output: Path | None) -> list[str]:
    """-MD and -MMD name the file and the target after the output (`driver._named`), which the front end does not know."""
    if not invocation.depend:
        return []
    words = [invocation.depend]
    if output and "-MF" not in invocation.depend_named:
        words += ["-MF", str(output.with_suffix(".d"))]
    if output and not invocation.depend_named & {"-MT", "-MQ"}:
        words += ["-MT", str(output)]
    return words


def run_alone(invocation: Invocation, tools: Toolchain, sources: list[str]) -> None:
    """-E, -M, -fsyntax-only: nothing but the front end. Raises `CompileError` when all is said."""
    from subprocess import PIPE, run  # noqa: PLC0415 (clang writes to our own output)

    done = run(words_alone(invocation, tools, sources), stderr=PIPE, check=False)
    if done.stderr:
        sys.stderr.write(with_remedies(done.stderr.decode(errors="replace"), language(invocation)))
    if done.returncode:
        raise CompileError("")


def words_alone(invocation: Invocation, tools: Toolchain, sources: list[str]) -> list[str]:
    """What `run_alone` runs."""
    mode = ["-fsyntax-only"] if invocation.mode == SYNTAX else ["-E"]
    if "-M" in invocation.front or "-MM" in invocation.front:
        mode = []
    named = ["-o", invocation.output] if invocation.output else []
    named += ["-v"] if invocation.verbose else []
    options = [*options_for(invocation, tools, language(invocation)), *dependencies(invocation, None)]
    return [compiling.CLANG, *compiling.FRONT_END, *options, *mode, *named, *sources]


def cxx_library(tools: Toolchain) -> cxx.Library:
    """C++'s headers and the ABI's part of its library."""
    from transproc.toolchain import cxx  # noqa: PLC0415 (not for C)

    return cxx.library(tools)


def _omp_headers(tools: Toolchain) -> Path:
    from transproc.toolchain import omp  # noqa: PLC0415 (seldom needed)

    return omp.headers(tools)


def omp_library(tools: Toolchain) -> Path:
    """The directory of OpenMP's library, for who links."""
    from transproc.toolchain import omp  # noqa: PLC0415 (seldom needed)

    return omp.library(tools)


def with_places(message: str, source: str, options: list[str]) -> str:
    """Names the lines where a message can only name the file."""
    from transproc.toolchain import locate  # noqa: PLC0415 (only after an error)

    if locate.REFUSAL not in message or source == "-":
        return message
    lines = message.splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines) if locate.REFUSAL in line)
    places = [f"{file}:{line}: " for file, line in locate.file_level_assembly(_preprocessed(source, options))]
    note = "".join(lines[number + 1 : number + 2])
    refusals = [f"{place}error: {locate.REFUSAL}\n{note}" for place in places]
    return "".join([*lines[:number], *(refusals or lines[number : number + 2]), *lines[number + 2 :]])


def with_remedies(messages: str, kind: str) -> str:
    """Messages, and behind them what to do."""
    from transproc.toolchain import remedies  # noqa: PLC0415 (only after a message)

    return remedies.add(messages, kind)


def _preprocessed(source: str, options: list[str]) -> str:
    from transproc.run import output  # noqa: PLC0415

    return output([compiling.CLANG, *compiling.FRONT_END, *options, "-E", "-o", "-", source])

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A command line of `transproc-cc` that was understood."""

from __future__ import annotations

from dataclasses import dataclass, field

PREPROCESS, SYNTAX, ASSEMBLY, OBJECT, PROGRAM = "preprocess", "syntax", "assembly", "object", "program"
COMBINED = "combined"


@dataclass
class LinkerState:
    """What the linker's options before this word say about the next."""

    option: str = ""
    """One whose value is the next word that the linker gets."""
    whole: list[bool] = field(default_factory=lambda: [False])
    """Whether archives are taken as a whole, now and when each --push-state is undone."""


@dataclass
class Invocation:
    """A parsed command line."""

    mode: str = PROGRAM
    output: str | None = None
    inputs: list[tuple[str, str]] = field(default_factory=list)
    """(kind, word) in command-line order: "c", "c++", "header", "fortran", "asm", "object", "library" (-l)."""
    front: list[str] = field(default_factory=list)
    """Options of the front end."""
    codegen: list[str] = field(default_factory=list)
    link: list[str] = field(default_factory=list)
    undefined: list[str] = field(default_factory=list)
    """Symbols for which an archive's member is taken though nothing refers to them (-u)."""
    whole: set[int] = field(default_factory=set)
    """Indexes of inputs that are archives of which all members are wanted (--whole-archive)."""
    library_paths: list[str] = field(default_factory=list)
    level: str = "-O0"
    debug: bool = False
    strip: bool = False
    plain: bool = False
    verbose: bool = False
    depend: str | None = None
    """-MD or -MMD, if given."""
    depend_named: set[str] = field(default_factory=set)
    """-MF, -MT or -MQ given."""
    query: str | None = None
    """An option that asks for information (-dumpmachine …)."""
    language: str | None = None
    cxx: bool = False
    """Called as `transproc-c++`: files of C are taken for C++, and its library is linked."""
    without: set[str] = field(default_factory=set)
    """-nostdinc++, -nostdlib++."""
    openmp: bool = False
    notes: list[str] = field(default_factory=list)
    """What the user should know."""
    linker: LinkerState = field(default_factory=LinkerState)

    def option(self, *words: str) -> None:
        """Adds an option of the front end."""
        self.front += words

    def add(self, kind: str, word: str) -> None:
        """Adds an input."""
        if self.linker.whole[-1]:
            self.whole.add(len(self.inputs))
        self.inputs.append((kind, word))

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be done about messages of clang that do not say it: they speak of its target, which is neither of the ISAs, or of the
words of a language that is left out."""

from __future__ import annotations

import re

_VERSIONS = re.compile(
    r"'?target_version'? attribute|for cpu_(dispatch|specific)$|function multiversioning", re.M
)
"""Clang's words for a function of which there is to be one version for each kind of processor."""

ONE_VERSION = (
    "transproc-cc: note: a function has one version, for every processor of both ISAs: leave out all but the default one "
    "where __transproc__ is defined\n"
)

NO_MODULES = "C++ modules are not supported: include headers"
_MODULES = re.compile(
    r"error: (?:unknown type name '(?:import|module)'|a type specifier is required for all declarations|expected template"
    r"|use of undeclared identifier '\w+')\n"
    r" *\d+ \| (?:export +)?(?:import\b *[\"<:\w][^=()*]*;|module\b *[\w.:]* *(?:\[\[.*)?;)"
)
"""What clang says of them where they are off, and the line that it shows: a declaration at file level. Both words are names as
others are, of types, too."""

_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def add(messages: str, language: str = "c") -> str:
    """Clang's messages, and behind them what to do."""
    plain = _COLOUR.sub("", messages)
    if _VERSIONS.search(plain):
        messages += ONE_VERSION
    if language == "c++" and _MODULES.search(plain):
        messages += f"transproc-cc: note: {NO_MODULES}\n"
    return messages

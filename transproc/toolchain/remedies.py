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
    r"unknown type name '(import|module)'|^ *\d+ \| *(export +)?(import *[\"<:\w][^=()*]*;|module *[\w.:]*;)",
    re.M,
)
"""What clang says of them, or the line that it shows, where they are off."""


def add(messages: str) -> str:
    """Clang's messages, and behind them what to do."""
    if _VERSIONS.search(messages):
        messages += ONE_VERSION
    return f"{messages}transproc-cc: note: {NO_MODULES}\n" if _MODULES.search(messages) else messages

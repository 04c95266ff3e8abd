# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be done about messages of clang that speak of its target, which nobody has chosen: it is neither of the ISAs."""

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


def add(messages: str) -> str:
    """Clang's messages, and behind them what to do."""
    return messages + ONE_VERSION if _VERSIONS.search(messages) else messages

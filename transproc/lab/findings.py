# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Answers to what a machine, this one or a node, has and lacks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from transproc.text import dotted

Version = tuple[int, ...]

MINIMUM_KERNEL: Version = (5, 11)
"""Group stops survive CRIU's ptrace, and close_range exists."""


@dataclass(frozen=True)
class Finding:
    """An answer; `remedy` says what to do, if something must be or could be done."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def version(text: str) -> Version:
    """The first number with dots in a text, as a tuple; empty if there is none."""
    match = re.search(r"\d+(?:\.\d+)+|\d+", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def kernel(release: str) -> Finding:
    """Whether a kernel is new enough."""
    ok = version(release) >= MINIMUM_KERNEL
    return Finding("kernel", ok, release, "" if ok else f"a kernel of at least {dotted(MINIMUM_KERNEL)}")


def enough(name: str, found_mb: int, wanted_mb: int) -> Finding:
    """Whether there is so much of something."""
    ok = found_mb >= wanted_mb
    return Finding(name, ok, f"{found_mb} MB free", "" if ok else f"{wanted_mb} MB are needed")

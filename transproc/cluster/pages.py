# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is said about pages that follow a process, between the tools of two nodes and the host (runtime/tool/pages.h)."""

from __future__ import annotations

import struct
from enum import IntEnum

from transproc.errors import FormatError

PAGE = 4096
REQUEST = struct.Struct("<IIQQ")
_ANSWER = struct.Struct("<IIQQQQ")
_PIECE = 64 * PAGE
"""What one request may ask for."""


class Request(IntEnum):
    """Kinds of requests. LEFT, DONE and TOLD are for the host; ROUND, and TOLD at its end, belong to a pre-copy."""

    PAGES, MAP, LEFT, DONE, ROUND, TOLD = range(6)


class _Answer(IntEnum):
    PAGES, ZEROS, MAP = range(3)


def request(pid: int, start: int, end: int) -> bytes:
    """Requests for the pages of `[start, end)`."""
    steps = range(start, end, _PIECE)
    return b"".join(REQUEST.pack(Request.PAGES, pid, at, min(at + _PIECE, end)) for at in steps)


def answered(data: bytes, pid: int, start: int, end: int) -> bytes:
    """The pages that were asked for. Raises FormatError unless that is what was answered."""
    at, parts, place = 0, [], start
    while at + _ANSWER.size <= len(data):
        kind, whose, first, last, size, _check = _ANSWER.unpack_from(data, at)
        at += _ANSWER.size
        good = (whose, first) == (pid, place) and first < last <= end
        if not good or size != (last - first if kind == _Answer.PAGES else 0) or at + size > len(data):
            break
        parts.append(data[at : at + size] if size else bytes(last - first))
        at, place = at + size, last
    if at != len(data) or place != end:
        raise FormatError(f"pages of process {pid} at {place:#x}: the answer is none")
    return b"".join(parts)

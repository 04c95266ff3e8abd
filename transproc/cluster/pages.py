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
_HASH = 16
_MOST_HELD = 64 * _PIECE
"""Whose hashes one request may be followed by."""


class Request(IntEnum):
    """Kinds of requests. LEFT, DONE, TOLD and READY are for the host. A pre-copy begins with HELD, if pages are held already, and
    READY; ROUND, and TOLD at its end, belong to it, too.
    """

    PAGES, MAP, LEFT, DONE, ROUND, TOLD, HELD, READY = range(8)


class _Answer(IntEnum):
    PAGES, ZEROS, MAP = range(3)


def request(pid: int, start: int, end: int) -> bytes:
    """Requests for the pages of `[start, end)`."""
    steps = range(start, end, _PIECE)
    return b"".join(REQUEST.pack(Request.PAGES, pid, at, min(at + _PIECE, end)) for at in steps)


def whole(data: bytes, at: int) -> int:
    """The bytes of the request that begins there, with what follows it; 0 if that is not all there yet."""
    if len(data) - at < REQUEST.size:
        return 0
    kind, _pid, start, end = REQUEST.unpack_from(data, at)
    follow = (end - start) // PAGE * _HASH if kind == Request.HELD and 0 < end - start <= _MOST_HELD else 0
    size = REQUEST.size + follow
    return size if len(data) - at >= size else 0


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

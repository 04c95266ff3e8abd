# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What passes between the user's half of a job and root's: objects of JSON, and archives, in frames.

A frame is its length (4 bytes, little-endian) and so many bytes; an archive is frames up to an empty one. Root's half trusts
nothing that comes: lengths are bounded, and objects are objects.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import IO, Any

from transproc.errors import FormatError

LARGEST = 1 << 24
"""Bytes of a frame: argument and environment are at most 2 MB together (ARG_MAX), 6 bytes a character in JSON."""
_LENGTH = struct.Struct("<I")


def send(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Sends an object."""
    _write(stream, json.dumps(message).encode())
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next object; None at the end. Raises `FormatError` for anything else."""
    frame = _read(stream)
    if frame is None:
        return None
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the other half of the job sent no object: {error}") from error
    if not isinstance(message, dict):
        raise FormatError(f"the other half of the job sent {type(message).__name__}, expected an object")
    return message


class Writer:
    """A file to which an archive is written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        """Sends what is written."""
        for start in range(0, len(data), LARGEST):
            _write(self._stream, data[start : start + LARGEST])
        return len(data)

    def finish(self) -> None:
        """Says that this was all."""
        _write(self._stream, b"")
        self._stream.flush()


def receive_all(stream: IO[bytes]) -> Iterator[bytes]:
    """What the other side sends by a `Writer`; raises `FormatError` if it is cut off."""
    while True:
        piece = _read(stream)
        if piece is None:
            raise FormatError("the other half of the job ended in the middle of an archive")
        if not piece:
            return
        yield piece


def _write(stream: IO[bytes], data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)) + data)


def _read(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise FormatError("the other half of the job ended in the middle of a frame")
    (length,) = _LENGTH.unpack(head)
    if length > LARGEST:
        raise FormatError(f"the other half of the job sent {length} bytes, expected at most {LARGEST}")
    data = stream.read(length)
    if len(data) < length:
        raise FormatError("the other half of the job ended in the middle of a frame")
    return data

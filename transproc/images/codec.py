# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reading and writing one image; the grammar is in `kinds`.

What is written equals what was read byte for byte, except in entries whose message was changed: an unchanged
entry is written as the bytes it was read from, so fields that transproc does not know keep even their order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import DecodeError, EncodeError, Message

from transproc.errors import ImageError
from transproc.images.files import create, open_regular
from transproc.images.kinds import COMMON_MAGIC, SERVICE_MAGIC, Kind, by_magic

M = TypeVar("M", bound=Message)


@dataclass(slots=True)
class Entry:
    """A message and the raw bytes behind it."""

    message: Message
    extra: bytes = b""
    source: bytes | None = None
    """The payload that `message` was read from; None for a new entry."""

    def payload(self) -> bytes:
        """The message's bytes; `ImageError` if a field that CRIU requires is missing."""
        if self.source is not None and type(self.message).FromString(self.source) == self.message:
            return self.source
        try:
            return self.message.SerializeToString()
        except EncodeError as error:
            raise ImageError(f"{type(self.message).__name__}: {error}") from error


@dataclass
class Image:
    """One image file. A kind without message, or an unknown one (`kind` None), is all `opaque`."""

    kind: Kind | None
    entries: list[Entry] = field(default_factory=list)
    opaque: bytes = b""
    header: bytes | None = None
    """The magic numbers as they were read; None for a new image."""

    def messages(self, message: type[M]) -> list[M]:
        """All messages of a type, in order. Changing one changes the image."""
        return [entry.message for entry in self.entries if isinstance(entry.message, message)]

    def only(self, message: type[M]) -> M:
        """The message of an image that has exactly one."""
        found = self.messages(message)
        if len(found) != 1:
            raise ImageError(f"expected one {message.__name__}, found {len(found)}")
        return found[0]


def new_image(kind: Kind, messages: list[Message]) -> Image:
    """An image of our own, of the current format."""
    return Image(kind, [Entry(message) for message in messages])


def read_image(path: Path, kind: Kind | None = None) -> Image:
    """Reads an image file; `ImageError` if it is malformed, or not of the expected `kind`."""
    with open_regular(path) as file:
        data = file.read()
    image = decode(data, path)
    if kind is not None and image.kind is not kind:
        found = image.kind.name if image.kind else "unknown"
        raise ImageError(f"expected an image of kind {kind.name}, found {found}", path=path, offset=0)
    return image


def write_image(path: Path, image: Image) -> None:
    """Writes an image file."""
    with create(path) as file:
        file.write(encode(image))


def decode(data: bytes, path: Path | None = None) -> Image:
    """An image from its bytes; `path` is for messages only. Bytes without a known magic number give an opaque
    image.
    """
    kind, start = _header(data)
    if kind is None or kind.message is None:
        return Image(kind, opaque=data[start:], header=data[:start])
    entries = _entries(data, start, kind, kind.message, path)
    return Image(kind, entries, header=data[:start])


def encode(image: Image) -> bytes:
    """The bytes of an image."""
    parts = [_new_header(image.kind) if image.header is None else image.header, image.opaque]
    for entry in image.entries:
        payload = entry.payload()
        parts += [struct.pack("<I", len(payload)), payload, entry.extra]
    return b"".join(parts)


def _header(data: bytes) -> tuple[Kind | None, int]:
    """Kind of an image and length of its header."""
    for length in (4, 8):
        if len(data) < length:
            break
        kind = by_magic(struct.unpack_from("<I", data, length - 4)[0])
        if kind is not None and (length == 4 or data[:4] in _FIRST):
            return kind, length
    return None, 0


_FIRST = (struct.pack("<I", COMMON_MAGIC), struct.pack("<I", SERVICE_MAGIC))


def _new_header(kind: Kind | None) -> bytes:
    if kind is None:
        return b""
    if kind.name == "inventory":
        return struct.pack("<I", kind.magic)
    return struct.pack("<II", SERVICE_MAGIC if kind.service else COMMON_MAGIC, kind.magic)


def _entries(data: bytes, offset: int, kind: Kind, others: type[Message], path: Path | None) -> list[Entry]:
    """All entries from an offset on; `others` is the message of all but a head.

    One loop without calls: the pagemap of a process of some GB has thousands.
    """
    entries = []
    message = kind.head or others
    while offset < len(data):
        start = offset + 4
        end = start + int.from_bytes(data[offset:start], "little")
        if start > len(data):
            raise _short(data, offset, 4, "size of an entry", path)
        if end > len(data):
            raise _short(data, start, end - start, f"{message.__name__} message", path)
        payload = data[start:end]
        try:
            parsed = message.FromString(payload)
        except (DecodeError, ValueError, RecursionError) as error:
            raise ImageError(f"{message.__name__} message: {error}", path=path, offset=start) from error
        if not parsed.IsInitialized():
            raise ImageError(f"{message.__name__} message lacks a required field", path=path, offset=start)
        offset = end
        if kind.extra:
            offset += sum(getattr(parsed, name) for name in kind.extra)
            if offset > len(data):
                raise _short(data, end, offset - end, "data behind an entry", path)
        entries.append(Entry(parsed, data[end:offset], payload))
        message = others
    return entries


def _short(data: bytes, offset: int, size: int, what: str, path: Path | None) -> ImageError:
    left = max(0, len(data) - offset)
    return ImageError(f"{what} needs {size} bytes, found {left}", path=path, offset=offset)

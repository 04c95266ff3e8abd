# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fields of protobuf messages by dotted path.

The tables in this package name where an image keeps a register; this is the only code that follows the names.
"""

from __future__ import annotations

from typing import Any

from transproc.errors import ImageError


def field_at(message: Any, path: str) -> Any:
    """The value of a field."""
    for name in path.split("."):
        message = getattr(message, name)
    return message


def set_field(message: Any, path: str, value: int) -> None:
    """Sets a scalar field."""
    *outer, last = path.split(".")
    for name in outer:
        message = getattr(message, name)
    setattr(message, last, value)


def read_bytes(message: Any, path: str, element: int | None, element_size: int, size: int) -> bytes:
    """`size` little-endian bytes of a scalar field (`element` None) or of elements of a repeated one."""
    value = field_at(message, path)
    if element is None:
        return int(value).to_bytes(size, "little")
    end = element + size // element_size
    if len(value) < end:
        raise ImageError(f"core: {path} has {len(value)} elements, expected {end} or more")
    return b"".join(int(word).to_bytes(element_size, "little") for word in value[element:end])


def write_bytes(message: Any, path: str, element: int | None, element_size: int, data: bytes) -> None:
    """The reverse of `read_bytes`; a repeated field must already have its elements."""
    if element is None:
        set_field(message, path, int.from_bytes(data, "little"))
        return
    words = field_at(message, path)
    for index in range(0, len(data), element_size):
        words[element + index // element_size] = int.from_bytes(data[index : index + element_size], "little")

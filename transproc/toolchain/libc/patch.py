# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small changes of others' sources before they are compiled."""

from __future__ import annotations

from pathlib import Path

from transproc.errors import BinaryError

Change = tuple[str, str]
"""A text, and what is there in its place."""


def change(path: Path, what: Change) -> None:
    """Raises `BinaryError` if the text is not there: it is another version."""
    text = path.read_text()
    if what[0] not in text:
        raise BinaryError(f"has no {what[0]}", path=path)
    path.write_text(text.replace(*what))

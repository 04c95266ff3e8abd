# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Of a terminal that the supervisor holds an image names no session: its leader is not in the tree."""

from __future__ import annotations

from pathlib import Path

from tests.writers.images import image, inventory, message
from transproc.images.directory import ImageDirectory
from transproc.transform.terminals import NAME, release

MAGIC = 0x59453036
OWN = message((1, 4), (2, 1), (6, 100), (7, 100), (8, 0x8803), (12, b"\x08\x03"))
INHERITED = message((1, 10), (2, 5), (3, 0), (6, 77), (7, 78), (8, 0x8800), (13, 26))


def test_only_inherited_terminals_lose_their_session(tmp_path: Path) -> None:
    source, target = tmp_path / "dump", tmp_path / "image"
    inventory(source)
    target.mkdir()
    (source / NAME).write_bytes(image(MAGIC, OWN, INHERITED))
    release(ImageDirectory(source), target)
    released = message((1, 10), (2, 5), (6, 0), (7, 0), (3, 0), (8, 0x8800), (13, 26))
    assert (target / NAME).read_bytes() == image(MAGIC, OWN, released)


def test_an_image_without_inherited_terminals_is_not_written(tmp_path: Path) -> None:
    source, target = tmp_path / "dump", tmp_path / "image"
    inventory(source)
    target.mkdir()
    release(ImageDirectory(source), target)
    (source / NAME).write_bytes(image(MAGIC, OWN))
    release(ImageDirectory(source), target)
    assert not list(target.iterdir())

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An image directory is filled by others: nothing but regular files is read, and what is written is private."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transproc.errors import ImageError
from transproc.images.child import ChildWriter
from transproc.images.codec import read_image
from transproc.images.directory import ImageDirectory
from transproc.images.files import create, is_regular, open_regular


def test_links_and_pipes_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("link", "symbolic link"), ("pipe", "no regular file"), ("none", "No such file")):
        with pytest.raises(ImageError, match=why):
            read_image(tmp_path / name)
        with pytest.raises(ImageError, match=why):
            open_regular(tmp_path / name)
        assert not is_regular(tmp_path / name)
    assert is_regular(tmp_path / "real")


def test_a_link_in_an_image_is_not_copied(tmp_path: Path) -> None:
    """`transproc transform` copied what it led to."""
    original = tmp_path / "dump"
    original.mkdir()
    (original / "inventory.img").write_bytes(b"")
    (tmp_path / "secret").write_text("secret")
    (original / "x.img").symlink_to("../secret")
    writer = ChildWriter(tmp_path / "image", ImageDirectory(original))
    with pytest.raises(ImageError, match="symbolic link"):
        writer.finish()
    assert not (tmp_path / "image" / "x.img").exists()


def test_what_is_written_is_private(tmp_path: Path) -> None:
    with create(tmp_path / "file") as file:
        file.write(b"x")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump" / "inventory.img").write_bytes(b"")
    ChildWriter(tmp_path / "image", ImageDirectory(tmp_path / "dump"))
    assert (tmp_path / "image").stat().st_mode & 0o777 == 0o700

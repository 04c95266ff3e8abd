# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files go from node to node in one stream, checked on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transproc.cluster.members import FILES, IMAGES
from transproc.cluster.node import SshNode
from transproc.errors import CommandError, FormatError

pytestmark = pytest.mark.native


def test_pages_that_are_all_zero_are_not_sent(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    dump, there = tmp_path / "dump", tmp_path / "there"
    dump.mkdir()
    page = os.urandom(4096)
    (dump / "pages-1.img").write_bytes(bytes(20 << 20) + page + bytes(20 << 20))
    sent = nodes["na"].relay(str(dump), nodes["nb"], IMAGES, directory=str(there), keep=tmp_path / "kept")
    assert sent < 1 << 16
    for copy in (there / "dump", tmp_path / "kept"):
        assert (copy / "pages-1.img").stat().st_blocks <= 16
        assert (copy / "pages-1.img").read_bytes() == (dump / "pages-1.img").read_bytes()


def test_what_does_not_belong_there_arrives_nowhere(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    dump, there = tmp_path / "dump", tmp_path / "there"
    dump.mkdir()
    (dump / "core-1.img").symlink_to("/etc/passwd")
    with pytest.raises(FormatError, match="no regular file"):
        nodes["na"].relay(str(dump), nodes["nb"], IMAGES, directory=str(there), keep=tmp_path / "kept")
    for copy in (there / "dump", tmp_path / "kept"):
        assert not (copy / "core-1.img").is_symlink()


def test_what_is_small_goes_in_one_piece(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    data, there = tmp_path / "data", tmp_path / "there"
    data.mkdir()
    (data / "file").write_bytes(b"content")
    (data / "much").write_bytes(os.urandom(1 << 20))
    assert nodes["na"].carry(str(data), nodes["nb"], directory=str(there), most=1 << 20) == 0
    assert not there.exists(), "more than that is not sent"
    assert nodes["na"].carry(str(data), nodes["nb"], directory=str(there), most=2 << 20) > 1 << 20
    assert (there / "data/file").read_bytes() == b"content"
    (data / "core-1.img").symlink_to("/etc/passwd")
    with pytest.raises(FormatError, match="has no place in it"):
        nodes["na"].carry(str(data), nodes["nb"], IMAGES, directory=str(tmp_path / "none"), most=2 << 20)
    assert not (tmp_path / "none").exists(), "it is checked as a whole before anything is sent on"


def test_who_fails_is_named(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        nodes["na"].relay(str(tmp_path / "missing"), nodes["nb"], FILES, directory=str(tmp_path / "there"))
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    with pytest.raises(CommandError, match="mkdir"):
        nodes["na"].relay(str(tmp_path / "file"), nodes["nb"], FILES, directory="/dev/null/there")

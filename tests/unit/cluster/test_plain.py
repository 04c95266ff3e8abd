# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Archives of GNU tar, as small ones read them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from transproc.cluster import archive
from transproc.cluster.plain import expanded, plain
from transproc.errors import FormatError

HOLE = 1 << 22
LONG_AGO = 1_000_000_000


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Of a directory with all that a job may have."""
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(HOLE)
        file.write(b"end")
    os.truncate(tree / "sparse", HOLE + (1 << 16))
    (tree / ("long" * 50)).write_bytes(b"x" * 5000)
    (tree / os.fsdecode(b"n\xf6t utf-8")).write_text("y")
    (tree / "link").symlink_to("sparse")
    os.link(tree / ("long" * 50), tree / "second")
    (tree / "program").write_text("z")
    (tree / "program").chmod(0o4751)
    for one in tree.iterdir():
        os.utime(one, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    path = tmp_path / "files.tar"
    with archive.pack(tree, "data", gnu=True) as stream:
        path.write_bytes(stream.read())
    assert path.stat().st_size < HOLE
    return path


@pytest.mark.parametrize("tar", ["tar", "busybox tar"])
def test_any_tar_reads_it(packed: Path, tmp_path: Path, tar: str) -> None:
    words = tar.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]}")
    there = tmp_path / "there"
    there.mkdir()
    with plain(packed) as stream:
        subprocess.run([*words, "-C", str(there), "-xpf", "-"], stdin=stream, check=True)
    tree, data = tmp_path / "tree", there / "data"
    assert sorted(path.name for path in data.iterdir()) == sorted(path.name for path in tree.iterdir())
    for path in tree.iterdir():
        other = data / path.name
        assert other.read_bytes() == path.read_bytes(), path
        assert other.lstat().st_mode == path.lstat().st_mode
        if tar == "tar" or not path.is_symlink():  # busybox has no times of links
            assert other.lstat().st_mtime == LONG_AGO, path
    assert (data / "second").samefile(data / ("long" * 50))
    assert str((data / "link").readlink()) == "sparse"


def test_it_is_as_large_as_its_files(packed: Path) -> None:
    assert expanded(packed) == HOLE + (1 << 16) + 5000 + 1 + 1


def test_what_is_cut_off_is_an_error(packed: Path) -> None:
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2 - 100])
    with pytest.raises(FormatError, match="is not an archive"), plain(packed) as stream:
        stream.read()


def test_a_reader_that_ends_ends_it(packed: Path) -> None:
    with plain(packed) as stream:
        stream.read(10)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is different between a directory and its copy: found by contents, sent by tar, and then nothing is."""

from __future__ import annotations

import os
import random
import shutil
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from transproc.process.answers import difference
from transproc.process.tool import Tool
from transproc.run import run

NONE = b"\0" + bytes(8)
"""The end of a description, and no blocks."""


def inventory(tool: Tool, directory: Path) -> bytes:
    return run(tool.inventory(str(directory))).stdout


def described(listed: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """By path: the description, and the hashes of blocks."""
    found, at = {}, 0
    while end := listed.index(b"\0", at) - at:
        path, at = listed[at : at + end], at + end + 1
        description, at = listed[at : (end := listed.index(b"\0", at))], end + 1
        count, at = struct.unpack_from("<II", listed, at)[1], at + 8
        found[path], at = (description, listed[at : at + 16 * count]), at + 16 * count
    assert at == len(listed) - 1
    return found


def update(tool: Tool, here: Path, copy: Path, work: Path, *, patched: Path | None = None) -> list[bytes]:
    """Makes the copy what `here` is; returns what was sent. `patched`: a file for the list of large files that are not."""
    known, changed = work / "known", work / "changed"
    known.write_bytes(inventory(tool, copy))
    argv = tool.changes(str(here), str(known), str(changed), None if patched is None else str(patched))
    found = difference(run(argv).stdout)
    assert (found.patched > 0) == (patched is not None and patched.stat().st_size > 0)
    run(tool.remove(str(copy)), stdin=found.removed)
    packing = ["tar", "--format=posix", "-C", here.parent, "-cf", work / "tar"]
    run([*packing, "--no-recursion", "--null", "--no-unquote", "-T", changed])
    run(["tar", "-C", copy.parent, "-xpf", work / "tar"])
    return [
        name
        for name in changed.read_bytes().split(b"\0")[:-1]
        if not (here.parent / os.fsdecode(name)).is_dir()
    ]


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """A directory with one of each kind, and an old copy of it."""
    here, copy = tmp_path / "here" / "data", tmp_path / "there" / "data"
    (here / "work" / "deep" / "er").mkdir(parents=True)
    for name in (
        "stdout",
        "work/a",
        "work/deep/b c",
        "work/deep/\n",
        "work/-x",
        "work/back\\tslash\\n",
        "work/deep/er/é",
    ):
        (here / name).write_text(name * 1000)
    (here / "work" / "link").symlink_to("a")
    os.link(here / "work" / "a", here / "work" / "same")
    os.mkfifo(here / "work" / "pipe")
    copy.parent.mkdir()
    run(["cp", "-a", here, copy.parent])
    return here, copy


def contents(directory: Path) -> dict[str, tuple[object, ...]]:
    """Of all below a directory, by path: kind and mode, time, what is in it, and the first name of a file with several."""
    found: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for path in sorted(directory.rglob("*")):
        about, name = path.lstat(), str(path.relative_to(directory))
        inside: object = (
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        )
        same = (
            first.setdefault(about.st_ino, name)
            if about.st_nlink > 1 and not stat.S_ISDIR(about.st_mode)
            else ""
        )
        found[name] = (
            about.st_mode,
            None if stat.S_ISDIR(about.st_mode) else about.st_mtime_ns,
            inside,
            same,
        )
    return found


def expect_same(tool: Tool, here: Path, copy: Path) -> None:
    assert contents(here) == contents(copy)
    assert described(inventory(tool, here)) == described(inventory(tool, copy))


def test_nothing_has_changed(tool: Tool, trees: tuple[Path, Path], tmp_path: Path) -> None:
    """But all names of one file are always sent."""
    assert sorted(update(tool, *trees, tmp_path)) == [b"data/work/a", b"data/work/same"]
    expect_same(tool, *trees)


def test_equal_size_and_time_are_not_equal_contents(
    tool: Tool, trees: tuple[Path, Path], tmp_path: Path
) -> None:
    here, copy = trees
    file = here / "work" / "-x"
    before = file.stat()
    with file.open("r+b") as opened:
        opened.seek(1234)
        opened.write(b"?")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert b"data/work/-x" in update(tool, here, copy, tmp_path)
    expect_same(tool, here, copy)


def test_what_is_another_thing_now(tool: Tool, trees: tuple[Path, Path], tmp_path: Path) -> None:
    here, copy = trees
    shutil.rmtree(here / "work" / "deep")
    (here / "work" / "deep").write_text("a file")
    (here / "work" / "link").unlink()
    (here / "work" / "link").mkdir()
    (here / "work" / "link" / "new").symlink_to("/etc/passwd")
    (here / "work" / "same").unlink()
    (here / "work" / "same").write_bytes((here / "work" / "a").read_bytes())  # two files of one contents
    (here / "work" / "pipe").unlink()
    (here / "stdout").chmod(0o640)
    update(tool, here, copy, tmp_path)
    expect_same(tool, here, copy)
    assert (copy / "work" / "a").stat().st_nlink == 1


def change(top: Path, chance: random.Random) -> None:
    """Somewhere, something."""
    path = chance.choice([top, *sorted(top.rglob("*"))])
    is_directory = path.is_dir() and not path.is_symlink()
    new = (path if is_directory else path.parent) / f"n{chance.randrange(20)}"
    kind = chance.randrange(7)
    if kind < 5 and os.path.lexists(new):
        return
    if kind == 0:
        new.write_bytes(chance.randbytes(chance.randrange(10_000)))
    elif kind == 1:
        new.mkdir()
    elif kind == 2:
        new.symlink_to(new.name)
    elif kind == 3:
        os.mkfifo(new)
    elif kind == 4 and path.is_file():  # tar knows no names of pipes
        os.link(path, new, follow_symlinks=False)
    elif kind == 5 and path.is_file():
        path.write_bytes(chance.randbytes(path.stat().st_size))
    elif kind == 6 and path != top:
        shutil.rmtree(path) if is_directory else path.unlink()


@pytest.mark.parametrize("seed", range(4))
def test_any_changes(tool: Tool, trees: tuple[Path, Path], tmp_path: Path, seed: int) -> None:
    here, copy = trees
    chance = random.Random(seed)
    for _ in range(4):
        for _ in range(40):
            change(here / "work", chance)
        update(tool, here, copy, tmp_path)
        expect_same(tool, here, copy)


@pytest.mark.parametrize(
    "listed",
    [
        *(b"a\0f", b"a\0f 1" + NONE + b"b\0\0", b"a", b"", b"a\0f" + NONE + b"a\0f" + NONE + b"\0", b"\0\0"),
        *(
            b"a\0f" + NONE + b"\0more\0",
            b"a\0f\0\0\0\0",
            b"a\0f\0" + struct.pack("<II", 4096, 2) + bytes(31) + b"\0",
        ),
        *(
            b"a\0f\0" + struct.pack("<II", block, 1) + bytes(16) + b"\0"
            for block in (0, 1, 4097, 2048, 1 << 31)
        ),
        b"a\0f\0" + struct.pack("<II", 4096, 0xFFFFFFFF) + bytes(64) + b"\0",
    ],
)
def test_a_damaged_inventory(tool: Tool, trees: tuple[Path, Path], tmp_path: Path, listed: bytes) -> None:
    (tmp_path / "known").write_bytes(listed)
    argv = tool.changes(str(trees[0]), str(tmp_path / "known"), str(tmp_path / "changed"))
    done = run(argv, check=False)
    assert (done.returncode, done.stderr) == (1, b"transproc-stop changes: a list is damaged\n")


@pytest.mark.parametrize(
    "path", [b"/../x", b"../x", b"work/../../x", b"away/x", b"..", b".", b"work/", b"", b"work/."]
)
def test_nothing_beyond_a_copy_is_removed(tool: Tool, tmp_path: Path, path: bytes) -> None:
    copy, outside = tmp_path / "data", tmp_path / "outside"
    (copy / "work").mkdir(parents=True)
    outside.mkdir()
    (outside / "x").write_text("")
    (tmp_path / "x").write_text("")
    (copy / "away").symlink_to(outside)
    done = subprocess.run(tool.remove(str(copy)), input=path + b"\0", capture_output=True, check=False)
    assert done.returncode == 1
    assert (outside / "x").exists() and (tmp_path / "x").exists() and (copy / "work").exists()


def test_a_file_that_cannot_be_read_is_not_taken_for_removed(
    tool: Tool, trees: tuple[Path, Path], tmp_path: Path
) -> None:
    """A directory in which the names of a loop lead nowhere cannot be listed."""
    done = run(tool.inventory(str(tmp_path / "none")), check=False)
    assert done.returncode == 1 and b"errno 2" in done.stderr

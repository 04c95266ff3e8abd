# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which device and inode numbers programs see of files that have been copied: the tool's list, and the attribute of the files."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from transproc.process.launch import Files
from transproc.process.tool import Tool
from transproc.run import run

ATTRIBUTE = "user.transproc"
MOVES_SHIFT = 12
"""Above the bits of a major number that the kernel uses."""

Identity = tuple[int, int, int]


def listed(tool: Tool, directory: Path, moves: int) -> dict[str, Identity]:
    """By path, as the tool lists them before it becomes another program."""
    files = Files(str(directory), str(directory.parent / "list"))
    clocks = directory.parent / "clocks"
    done = run([*tool.before_dump(os.getpid(), files, moves, str(clocks)), "/bin/echo", "dumped"])
    assert done.stdout == b"dumped\n"
    *fields, empty, end = Path(files.listing).read_bytes().split(b"\0")
    assert (empty, end) == (b"", b"")
    words = [field.decode() for field in fields]
    rows = zip(*[iter(words)] * 4, strict=True)
    return {path: (int(major, 16), int(minor, 16), int(inode, 16)) for path, major, minor, inode in rows}


def real(path: Path) -> Identity:
    about = path.lstat()
    return os.major(about.st_dev), os.minor(about.st_dev), about.st_ino


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files, directories, and what has no identity of its own."""
    tree = tmp_path / "data"
    (tree / "work" / "deep").mkdir(parents=True)
    for name in ("stdout", "work/a", "work/deep/b c", "work/deep/\n"):
        (tree / name).write_text(name)
    (tree / "work" / "link").symlink_to("a")
    os.mkfifo(tree / "work" / "pipe")
    return tree


def test_all_files_and_directories_are_listed(tool: Tool, tree: Path) -> None:
    found = listed(tool, tree, 0)
    expected = {
        f"./{path.relative_to(tree)}" for path in tree.rglob("*") if path.name not in ("link", "pipe")
    }
    assert set(found) == expected | {"."}
    assert all(identity == real(tree / path) for path, identity in found.items())


def test_files_made_after_a_move_have_numbers_of_their_own(tool: Tool, tree: Path) -> None:
    major, minor, inode = real(tree / "stdout")
    assert listed(tool, tree, 3)["./stdout"] == (major | 3 << MOVES_SHIFT, minor, inode)


def test_a_file_that_moved_keeps_its_numbers_but_not_a_copy_of_it(tool: Tool, tree: Path) -> None:
    file, copy = tree / "work" / "a", tree / "work" / "copy"
    seen = (7, 8, 1 << 40)
    copy.write_text("")
    for path in (file, copy):
        os.setxattr(path, ATTRIBUTE, struct.pack("<IIQIIQ", *real(file), *seen))
    found = listed(tool, tree, 1)
    assert found["./work/a"] == seen
    assert found["./work/copy"] == (real(copy)[0] | 1 << MOVES_SHIFT, *real(copy)[1:])


def test_a_directory_that_is_not_there(tool: Tool, tmp_path: Path) -> None:
    files = Files(str(tmp_path / "none"), str(tmp_path / "missing" / "list"))
    done = run([*tool.before_dump(os.getpid(), files, 0, str(tmp_path / "clocks")), "/bin/true"], check=False)
    assert done.returncode == 1
    assert b"cannot be listed: errno 2" in done.stdout


def test_names_that_criu_has_made_are_removed(tool: Tool, tree: Path) -> None:
    """When a dumped process goes on: but none that was there before."""
    (tree / "work" / "link_remap.1").write_text("the program's own")
    files = Files(str(tree), str(tree.parent / "list"), guard=str(tree.parent / "guard"))
    with subprocess.Popen(["sleep", "60"]) as process:
        run([*tool.before_dump(process.pid, files, 0, str(tree.parent / "clocks")), "/bin/true"])
        for name in (
            "work/link_remap.2",
            "work/deep/link_remap.33",
            "work/link_remap.",
            "work/link_remap.4x",
        ):
            os.link(tree / "work" / "a", tree / name)
        Path(files.listing).unlink()  # it goes with the images, and a program may stand for longer
        tool.resume(process.pid, files)
        process.kill()
    left = {str(path.relative_to(tree)) for path in tree.rglob("*link_remap*")}
    assert left == {"work/link_remap.1", "work/link_remap.", "work/link_remap.4x"}


def test_a_process_that_was_not_dumped_goes_on(tool: Tool, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert tool.resume(process.pid, Files(str(tmp_path), str(tmp_path / "none"))) == [process.pid]
        process.kill()

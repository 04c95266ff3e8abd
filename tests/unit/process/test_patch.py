# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Large files of which a copy is elsewhere: only what is different inside them goes, and what arrives is what was there."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.process.test_tree import contents, described, expect_same, inventory, update
from transproc.process.tool import Tool
from transproc.run import run

MB, PAGE = 1 << 20, 4096
HOLES, REST, SMALL = 64 * MB, 3 * MB + 777, 900_000
END, FILE, DATA, ZEROS, DONE = range(5)


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """A directory with large files, and an old copy of it."""
    here, copy, chance = tmp_path / "here" / "data", tmp_path / "there" / "data", random.Random(1)
    (here / "work").mkdir(parents=True)
    for name, size in (("odd", REST), ("even", 4 * MB), ("linked", 2 * MB), ("small", SMALL)):
        (here / "work" / name).write_bytes(chance.randbytes(size))
    (here / "work" / "program").write_bytes(chance.randbytes(2 * MB))
    (here / "work" / "program").chmod(0o4755)
    os.link(here / "work" / "linked", here / "work" / "same")
    with (here / "work" / "holes").open("wb") as file:
        file.truncate(HOLES)
        file.seek(HOLES // 2)
        file.write(b"here")
    copy.parent.mkdir()
    run(["cp", "-a", "--sparse=always", here, copy.parent])
    return here, copy


def patch(tool: Tool, here: Path, copy: Path, work: Path, *, changing: bool = False) -> bytes:
    """Makes the copy what `here` is; returns the stream of blocks."""
    patched = work / "patched"
    update(tool, here, copy, work, patched=patched)
    stream = run(tool.blocks(str(here), str(patched), changing=changing)).stdout
    run(tool.patch(str(copy), changing=changing), stdin=stream)
    return stream


def write(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_nothing_goes_if_nothing_has_changed(tool: Tool, trees: tuple[Path, Path], tmp_path: Path) -> None:
    assert patch(tool, *trees, tmp_path) == struct.pack("<IIQQ", END, 0, 0, 0)


def test_only_what_has_changed_inside_goes(tool: Tool, trees: tuple[Path, Path], tmp_path: Path) -> None:
    here, copy = trees
    before = (copy / "work" / "odd").stat().st_ino
    write(here / "work" / "odd", 5 * PAGE + 1, b"?")
    write(here / "work" / "odd", REST - 1, b"?")
    assert len(patch(tool, here, copy, tmp_path)) < 2 * PAGE + 500
    expect_same(tool, here, copy)
    assert (copy / "work" / "odd").stat().st_ino == before


def test_what_must_go_as_a_whole_does(tool: Tool, trees: tuple[Path, Path], tmp_path: Path) -> None:
    """Several names, a program that runs as its owner, a small file; one that has another name only on one side."""
    here, copy = trees
    for name in ("linked", "program", "small"):
        write(here / "work" / name, 10, b"?")
    (here / "work" / "program").chmod(0o4755)
    os.link(copy / "work" / "odd", copy / "work" / "second")
    write(here / "work" / "odd", 10, b"?")
    os.link(here / "work" / "even", here / "work" / "third")
    write(here / "work" / "even", 10, b"?")
    assert len(patch(tool, here, copy, tmp_path)) == 24
    expect_same(tool, here, copy)


def test_owner_mode_and_time_alone(tool: Tool, trees: tuple[Path, Path], tmp_path: Path) -> None:
    here, copy = trees
    (here / "work" / "even").chmod(0o604)
    os.utime(here / "work" / "odd", ns=(1, 1_234_567_891_234_567_891))
    if os.geteuid() == 0:
        os.chown(here / "work" / "odd", 12, 34)
    assert len(patch(tool, here, copy, tmp_path)) < 500
    expect_same(tool, here, copy)


def test_sparse_files_stay_so(tool: Tool, trees: tuple[Path, Path], tmp_path: Path) -> None:
    """What has become a hole is one in the copy, and what was never written takes no room there."""
    here, copy = trees
    write(here / "work" / "holes", 10 * MB, b"new")
    write(here / "work" / "even", 0, bytes(3 * MB))
    os.truncate(here / "work" / "odd", 40 * MB)
    assert len(patch(tool, here, copy, tmp_path)) < 2 * PAGE + 2000
    expect_same(tool, here, copy)
    assert (copy / "work" / "holes").stat().st_blocks * 512 <= 4 * PAGE
    assert (copy / "work" / "even").stat().st_blocks * 512 <= MB + PAGE
    assert (copy / "work" / "odd").stat().st_blocks * 512 <= REST + 2 * PAGE


def test_a_hole_is_as_zeros(tool: Tool, tmp_path: Path) -> None:
    for name, sparse in (("a", True), ("b", False)):
        (tmp_path / name).mkdir()
        data = b"1" * MB + bytes(2 * MB) + b"2" * (MB + 5)
        (tmp_path / name / "file").write_bytes(data)
        if sparse:
            run(["fallocate", "--dig-holes", tmp_path / name / "file"])
        os.utime(tmp_path / name / "file", ns=(0, 0))
    assert described(inventory(tool, tmp_path / "a")) == described(inventory(tool, tmp_path / "b"))


def change(path: Path, chance: random.Random) -> None:
    size = path.stat().st_size
    kind = chance.randrange(6)
    if kind < 3:
        write(path, chance.randrange(size + 1), chance.randbytes(chance.randrange(3 * PAGE)))
    elif kind == 3:
        write(path, chance.randrange(size + 1), bytes(chance.randrange(MB)))
    elif kind == 4:
        os.truncate(path, size + chance.randrange(MB))
    else:
        os.truncate(path, max(MB, size - chance.randrange(MB)))


@pytest.mark.parametrize("seed", range(4))
def test_any_changes(tool: Tool, trees: tuple[Path, Path], tmp_path: Path, seed: int) -> None:
    here, copy = trees
    chance = random.Random(seed)
    for _ in range(5):
        for _ in range(chance.randrange(1, 30)):
            change(here / "work" / chance.choice(["odd", "even", "holes"]), chance)
        patch(tool, here, copy, tmp_path)
        expect_same(tool, here, copy)


def prepared(tool: Tool, here: Path, copy: Path, work: Path) -> bytes:
    """A stream for one file that was changed."""
    write(here / "work" / "odd", 5 * PAGE, b"?" * PAGE)
    update(tool, here, copy, work, patched=work / "patched")
    return run(tool.blocks(str(here), str(work / "patched"), changing=False)).stdout


def test_a_copy_that_is_not_whole_then_is_an_error(
    tool: Tool, trees: tuple[Path, Path], tmp_path: Path
) -> None:
    here, copy = trees
    stream = prepared(tool, here, copy, tmp_path)
    write(copy / "work" / "odd", MB, b"damaged")
    done = run(tool.patch(str(copy), changing=False), stdin=stream, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        b"transproc-stop patch: work/odd: it is not what it should be\n",
    )
    run(tool.patch(str(copy), changing=True), stdin=stream)
    run(["rm", here / "work" / "odd"])
    done = run(tool.blocks(str(here), str(tmp_path / "patched"), changing=False), check=False)
    assert done.returncode == 1
    left = run(tool.blocks(str(here), str(tmp_path / "patched"), changing=True)).stdout
    assert left == struct.pack("<IIQQ", END, 0, 0, 0)


PATCHED = struct.Struct("<QQQQqIIII")


def head(kind: int, start: int = 0, size: int = 0) -> bytes:
    return struct.pack("<IIQQ", kind, 0, start, size)


def file(path: bytes, *, size: int = REST, block: int = PAGE, mode: int = 0o644) -> bytes:
    return head(FILE, 0, len(path) + 1) + PATCHED.pack(size, block, 0, 0, 0, 0, mode, 0, 0) + path + b"\0"


ODD = b"work/odd"
HOSTILE = [
    b"",
    head(7),
    head(DATA, 0, 1) + b"x",
    head(DONE),
    file(ODD),
    file(ODD) + head(END),
    file(ODD) + file(ODD),
    file(ODD)[:-1] + b"x",
    file(ODD, block=3),
    file(ODD, mode=0o4755),
    file(ODD, size=1 << 63),
    file(ODD) + head(DATA, REST, 1) + b"x",
    file(ODD) + head(DATA, (1 << 64) - 1, 2) + b"xx",
    file(ODD) + head(DATA, 0, 1 << 19) + bytes(1 << 19),
    file(ODD) + head(DATA, 0, 100) + b"x",
    file(ODD) + head(ZEROS, 1, REST),
    file(ODD) + head(DONE) + head(END),
    file(b""),
    file(b"work"),
    file(b"work/none"),
    file(b"work/same"),
    file(b"work/program"),
    file(b"../outside"),
    file(b"/etc/passwd"),
    file(b"away/outside"),
    file(b"link"),
    file(b"x" * 5000),
]


@pytest.mark.parametrize("stream", HOSTILE, ids=range(len(HOSTILE)))
def test_a_stream_that_is_not_what_it_should_be(tool: Tool, trees: tuple[Path, Path], stream: bytes) -> None:
    """Nothing else is touched, whatever comes."""
    _, copy = trees
    outside = copy.parent / "outside"
    outside.write_bytes(b"outside" * 1000)
    (copy / "away").symlink_to("..")
    (copy / "link").symlink_to("../outside")
    before, others = outside.read_bytes(), all_but(copy, "work/odd")
    done = subprocess.run(
        tool.patch(str(copy), changing=False), input=stream, capture_output=True, check=False
    )
    assert done.returncode == 1 and done.stderr.startswith(b"transproc-stop patch: ")
    assert outside.read_bytes() == before and all_but(copy, "work/odd") == others


def all_but(directory: Path, name: str) -> dict[str, tuple[object, ...]]:
    return {path: about for path, about in contents(directory).items() if path != name}


@pytest.mark.parametrize(
    "cut", [lambda text: text[:-1], lambda text: text + b"more", lambda text: text.replace(b"4096", b"page")]
)
def test_a_damaged_list(
    tool: Tool, trees: tuple[Path, Path], tmp_path: Path, cut: Callable[[bytes], bytes]
) -> None:
    here, copy = trees
    prepared(tool, here, copy, tmp_path)
    (tmp_path / "patched").write_bytes(cut((tmp_path / "patched").read_bytes()))
    done = run(tool.blocks(str(here), str(tmp_path / "patched"), changing=False), check=False)
    assert done.returncode == 1 and b"a list or a stream is damaged" in done.stderr

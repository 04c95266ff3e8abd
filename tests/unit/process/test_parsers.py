# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tool's readers of files that are not ours (the index of a program, what an image brings along): damaged ones are refused.

Many of each, from fixed seeds, through `parsers/parse.c`, in which whoever reads a byte beyond what there is dies.
"""

from __future__ import annotations

import os
import platform
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from transproc.binary.elf import Elf
from transproc.binary.sites import SECTION
from transproc.process.build import compile_program, tool_sources
from transproc.run import output

HERE = Path(__file__).parent / "parsers"
EDGES = (
    0,
    1,
    7,
    0x7F,
    0xFF,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
    1 << 32,
    1 << 40,
    1 << 63,
    (1 << 64) - 1,
    (1 << 64) - 8,
)
LIST = b"\0".join(
    [b"./a", b"0x1", b"0x2", b"0x3", b"./b c/d", b"0xff", b"0x0", b"0xffffffffffffffff", b"", b""]
)
KEY = b"\0".join([b"tty[8803:1a]", b"tty[500:5]", b"4711", b"5", b"ab", b"\n\xff"])


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parsers") / "parse"
    sources = [source for source in tool_sources() if source.name not in ("main.c", "memory.c")]
    compile_program(platform.machine(), [HERE / "parse.c", *sources], path)
    return path


def verdicts(parser: Path, kind: str, directory: Path, contents: Iterator[bytes]) -> str:
    """A letter for each: see parse.c."""
    paths = []
    for number, data in enumerate(contents):
        paths.append(directory / f"{number}")
        paths[-1].write_bytes(data)
    answer = output([parser, kind, *paths], cwd=directory)
    assert len(answer) == len(paths)
    died = [path.name for path, letter in zip(paths, answer, strict=True) if letter == "!"]
    assert not died, f"{kind}: the reader died of {died[:10]}"
    return answer


def damaged(data: bytes, start: int, end: int, seed: int, count: int) -> Iterator[bytes]:
    """Copies with some bytes between `start` and `end` replaced by numbers that are likely to hurt, or cut short."""
    chance = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 5))):
            size = chance.choice((1, 2, 4, 8))
            place = min(start + chance.randrange(max(end - start, 1)) // size * size, len(copy) - size)
            value = chance.choice(EDGES) if chance.random() < 0.7 else chance.getrandbits(64)
            copy[place : place + size] = struct.pack("<Q", value)[:size]
        yield bytes(copy[: chance.randrange(start, len(copy))] if chance.random() < 0.1 else copy)


@pytest.fixture(scope="session")
def index_place(target: Path) -> tuple[int, int]:
    """Where the index is in the target's file."""
    with Elf(target) as elf:
        data = bytes(elf.section(SECTION) or b"")
    place = target.read_bytes().index(data)
    return place, place + len(data)


def test_an_index(parser: Path, target: Path, index_place: tuple[int, int], tmp_path: Path) -> None:
    data = target.read_bytes()
    assert verdicts(parser, "index", tmp_path, iter([data])) == "a"
    start, end = index_place
    head = verdicts(parser, "index", tmp_path, damaged(data, start, start + 208, 1, 400))
    body = verdicts(parser, "index", tmp_path, damaged(data, start, end, 2, 400))
    file = verdicts(parser, "index", tmp_path, damaged(data, 0, 64, 3, 100))
    assert head.count("r") > 200
    assert "r" in body
    assert "r" in file


def test_an_index_that_is_longer_than_its_file(
    parser: Path, target: Path, index_place: tuple[int, int], tmp_path: Path
) -> None:
    """It was mapped, and the first look behind the file's end was the tool's death."""
    data, (start, end) = target.read_bytes(), index_place
    sections, size, count = (
        struct.unpack_from(f"<{kind}", data, at)[0] for kind, at in (("Q", 40), ("H", 58), ("H", 60))
    )
    heads = [sections + size * number for number in range(count)]
    head = next(at for at in heads if struct.unpack_from("<Q", data, at + 24)[0] == start)
    assert struct.unpack_from("<Q", data, head + 32)[0] == end - start
    for long in (len(data), 1 << 24, 1 << 40, (1 << 64) - 1):
        copy = bytearray(data)
        struct.pack_into("<Q", copy, head + 32, long)
        # strings from the beginning on, whose last byte is looked at first, and is beyond the file
        struct.pack_into("<II", copy, start + 72 + 8 * 8, 0, min(long, 1 << 32) - 1)
        assert verdicts(parser, "index", tmp_path, iter([bytes(copy)])) == "r"


def test_a_site_at_the_end_of_the_address_space(
    parser: Path, target: Path, index_place: tuple[int, int], tmp_path: Path
) -> None:
    data, start = bytearray(target.read_bytes()), index_place[0]
    offset, count = struct.unpack_from("<II", data, start + 72 + 8)
    struct.pack_into("<Q", data, start + offset + 40 * (count - 1), (1 << 64) - 1)
    assert verdicts(parser, "index", tmp_path, iter([bytes(data)])) == "r"


def test_a_list_of_files(parser: Path, tmp_path: Path) -> None:
    assert verdicts(parser, "list", tmp_path, iter([LIST, b"\0"])) == "aa"
    cut = verdicts(parser, "list", tmp_path, (LIST[:size] for size in range(len(LIST))))
    assert set(cut) == {"r"}
    verdicts(parser, "list", tmp_path, damaged(LIST, 0, len(LIST), 4, 300))


def test_the_key_of_a_terminal(parser: Path, tmp_path: Path) -> None:
    assert verdicts(parser, "key", tmp_path, iter([KEY])) == "a"
    cut = verdicts(parser, "key", tmp_path, (KEY[:size] for size in range(len(KEY))))
    assert set(cut) == {"r"}
    verdicts(parser, "key", tmp_path, damaged(KEY, 0, len(KEY), 5, 300))
    wrong = [KEY.replace(b"\0" + b"5", b"\0" + b"%d" % size) for size in (4, 6, 1 << 20, 1 << 63)]
    wrong += [KEY.replace(b"tty[500:5]", b"socket:[1]"), KEY.replace(b"4711", b"99999999999")]
    assert set(verdicts(parser, "key", tmp_path, iter(wrong))) == {"r"}


def test_a_list_reaches_nothing_beyond_its_directory(parser: Path, tmp_path: Path) -> None:
    """Not by `..`, not through links, not by an absolute name."""
    inside, outside = tmp_path / "data", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "file").write_text("")
    (outside / "file").write_text("")
    (inside / "link").symlink_to("../outside")
    names = ("file", "../outside/file", "link/file", "./link/../../outside/file", f"{outside}/file", "..")
    rows = [b"\0".join([name.encode(), b"0x1", b"0x2", b"0x3", b""]) for name in names]
    assert verdicts(parser, "list", inside, iter([b"".join(rows) + b"\0"])) == "a"
    assert os.listxattr(inside / "file") == ["user.transproc"]
    assert os.listxattr(outside / "file") == os.listxattr(outside) == os.listxattr(tmp_path) == []

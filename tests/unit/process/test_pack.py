# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Streams that are packed where the link is what takes time: what comes out is what went in, and whatever comes is survived."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transproc.process.tool import Tool
from transproc.run import run

PIECE = 1 << 18
HEAD = struct.Struct("<II")


def pack(tool: Tool, argv: list[str]) -> list[str]:
    return [tool.path, "pack", "--", *argv]


def unpack(tool: Tool, argv: list[str]) -> list[str]:
    return [tool.path, "unpack", "--", *argv]


def words(seed: int, size: int) -> bytes:
    """Of the kind that packs, as memory does: small numbers, pointers, text, zeros, and some that does not."""
    chance, found = random.Random(seed), bytearray()
    text = [chance.randbytes(chance.randrange(1, 30)) for _ in range(200)]
    while len(found) < size:
        kind = chance.randrange(5)
        if kind == 0:
            found += struct.pack("<Q", 0x7F0000000000 + chance.randrange(1 << 20) * 16) * chance.randrange(
                1, 4
            )
        elif kind == 1:
            found += chance.choice(text)
        elif kind == 2:
            found += bytes(chance.randrange(1, 600))
        elif kind == 3:
            found += chance.choice(text)[:3] * chance.randrange(1, 700)
        else:
            found += chance.randbytes(chance.randrange(1, 100))
    return bytes(found[:size])


def slowly(tool: Tool, data: bytes, *, first: float = 0.5) -> bytes:
    """What `pack` makes of it for a link that takes nothing at the beginning."""
    with subprocess.Popen(pack(tool, ["cat"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        feeder = threading.Thread(target=feed, args=(process, data))
        feeder.start()
        time.sleep(first)
        packed = bytearray()
        while part := os.read(process.stdout.fileno(), 1 << 14):
            packed += part
            if first:
                time.sleep(0.002)
        feeder.join()
    assert process.returncode == 0
    return bytes(packed)


def feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.close()


def unpacked(tool: Tool, packed: bytes) -> bytes:
    return run(unpack(tool, ["cat"]), stdin=packed).stdout


def pieces(packed: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(packed):
        size, count = HEAD.unpack_from(packed, at)
        yield size, count
        at += HEAD.size + count


@pytest.mark.parametrize("size", [0, 1, 511, 512, PIECE - 1, PIECE, PIECE + 1, 5_000_000])
def test_it_comes_out_as_it_went_in(tool: Tool, size: int) -> None:
    data = words(size, size)
    assert unpacked(tool, slowly(tool, data, first=0)) == data


def test_a_slow_link_gets_packed_pieces(tool: Tool) -> None:
    data = words(1, 20_000_000)
    packed = slowly(tool, data)
    assert len(packed) < 0.7 * len(data)
    assert unpacked(tool, packed) == data


def test_what_does_not_pack_is_tried_less_and_less(tool: Tool) -> None:
    data = random.Random(1).randbytes(20_000_000)
    packed = slowly(tool, data)
    assert all(size == count for size, count in pieces(packed))
    assert unpacked(tool, packed) == data


def test_a_link_that_waits_for_us_gets_them_as_they_are(tool: Tool) -> None:
    with subprocess.Popen(
        pack(tool, ["sh", "-c", "for i in 1 2 3 4 5; do head -c 1000000 /dev/zero; sleep 0.1; done"]),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        packed = process.stdout.read()
    assert sum(size == count for size, count in pieces(packed)) >= 5
    assert unpacked(tool, packed) == bytes(5_000_000)


@pytest.mark.parametrize("seed", range(8))
def test_any_pieces(tool: Tool, tmp_path: Path, seed: int) -> None:
    """All kinds of runs, lengths and distances."""
    chance = random.Random(seed)
    data = bytearray(words(seed, 1_000_000))
    for _ in range(300):
        start, size = (
            chance.randrange(len(data)),
            chance.choice([3, 4, 5, 14, 15, 16, 18, 19, 20, 270, 5000, 70000]),
        )
        kind = chance.randrange(3)
        if kind == 0:
            data[start : start + size] = bytes([chance.randrange(256)]) * size
        elif kind == 1:
            data[start:start] = data[max(0, start - chance.randrange(1, 70000)) :][:size]
        else:
            data[start : start + size] = chance.randbytes(size)
    packed = slowly(tool, bytes(data) * 3)
    assert any(count < size for size, count in pieces(packed))
    assert unpacked(tool, packed) == bytes(data) * 3


@pytest.mark.parametrize("seed", range(30))
def test_damaged_pieces_are_survived(tool: Tool, seed: int) -> None:
    """They become something, or an error; never more than was said."""
    chance = random.Random(seed)
    packed = bytearray(slowly(tool, words(seed, 3_000_000), first=0.1))
    for _ in range(chance.randrange(1, 20)):
        packed[chance.randrange(len(packed))] = chance.randrange(256)
    done = run(unpack(tool, ["wc", "-c"]), stdin=bytes(packed), check=False)
    assert done.returncode in (0, 1) and int(done.stdout) < 200_000_000


@pytest.mark.parametrize(
    "packed",
    [
        HEAD.pack(PIECE + 1, 10) + bytes(10),
        HEAD.pack(10, 11) + bytes(11),
        HEAD.pack(10, 0),
        HEAD.pack(1000, 3) + b"\x10aa",
        HEAD.pack(1000, 4) + b"\xf0\xff\xff\xff",
        HEAD.pack(1000, 5) + b"\x1fa\x01\x00\xff",
        HEAD.pack(1000, 4) + b"\x1fa\x00\x00",
        HEAD.pack(1000, 4) + b"\x1fa\x02\x00",
        HEAD.pack(8, 5) + b"\x1fa\x01\x00\xc8",
    ],
)
def test_what_is_no_piece_is_an_error(tool: Tool, packed: bytes) -> None:
    done = run(unpack(tool, ["cat"]), stdin=packed, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"not what can be understood" in done.stderr


def test_the_programs_status_is_theirs(tool: Tool) -> None:
    assert run(pack(tool, ["sh", "-c", "exit 3"]), check=False).returncode == 3
    assert run(unpack(tool, ["sh", "-c", "exit 4"]), stdin=b"", check=False).returncode == 4
    assert run(unpack(tool, ["sh", "-c", "kill -9 $$"]), stdin=b"", check=False).returncode == 137
    assert run(pack(tool, ["/none"]), check=False).returncode == 127


@contextmanager
def endless(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_one_ends_with_the_other(tool: Tool, tmp_path: Path) -> None:
    """A reader that has ended, one that ends while nothing comes, and a packer that is killed."""
    with endless(unpack(tool, ["true"])) as process:
        assert process.wait(10) == 0
    with endless(pack(tool, ["sh", "-c", "sleep 1000"])) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(10) != 0
    for wrap in (pack, unpack):
        note = tmp_path / "pid"
        with endless(
            wrap(tool, ["sh", "-c", f"echo $$ >{note}~; mv {note}~ {note}; exec sleep 1000"])
        ) as process:
            while not note.exists():
                time.sleep(0.01)
            pid = int(note.read_text())
            process.kill()
            until = time.monotonic() + 10
            while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
                time.sleep(0.01)
            assert not Path(f"/proc/{pid}").exists()
        note.unlink()

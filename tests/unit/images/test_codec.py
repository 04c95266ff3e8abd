# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Images as bytes: exact round trips, precise refusals, no crash on damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.images.conftest import COUNTER
from tests.writers.images import image, message
from transproc.errors import ImageError
from transproc.images import kinds
from transproc.images.codec import Entry, Image, decode, encode, new_image, read_image, write_image
from transproc.images.directory import ImageDirectory
from transproc.images.proto.core_pb2 import CoreEntry
from transproc.images.proto.files_pb2 import FileEntry, PipeData
from transproc.images.proto.process_pb2 import Inventory, ProcessTreeEntry, Stats

IMAGES = sorted(path for path in COUNTER.iterdir() if not path.name.startswith("pages-"))


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_real_images_round_trip(path: Path, tmp_path: Path) -> None:
    read = read_image(path)
    assert read.kind is kinds.by_file_name(path.name) is not None
    write_image(tmp_path / "copy", read)
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


def test_a_change_keeps_the_fields_that_have_no_name_here(counter: ImageDirectory) -> None:
    name = f"core-{counter.processes()[0].pid}.img"
    read = counter.image(name)
    core = read.only(CoreEntry)
    before = len(core.SerializeToString())
    core.tc.personality = 0x40000
    again = decode(encode(read)).only(CoreEntry)
    assert again.tc.personality == 0x40000
    assert len(again.SerializeToString()) == before + 2  # a longer varint, nothing lost
    core.tc.personality = 0
    assert encode(read) == (counter.path / name).read_bytes()


def test_unnamed_fields_keep_their_place() -> None:
    """Field 3 of a pagemap head does not exist; protobuf would write it behind field 1."""
    data = image(0x56084025, message((3, 9), (1, 5)))
    assert encode(decode(data)) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1",
        b"no magic at all",
        image(0x12345678, message((1, 2))),
        image(0x54473203, message((1, 2))),  # utsns: opaque
        image(0x59413026, message((1, 2), (2, b"typed ahead"))),  # tty-data
        image(0x52583605, message((1, 0))) + b"raw ghost file",
        image(0x59573019, message((2, 3))) + bytes(8),  # semaphores
        image(0x50273030, first=None),  # format 1.0
    ],
)
def test_unknown_and_opaque_images_round_trip(data: bytes) -> None:
    assert encode(decode(data)) == data


def test_data_behind_entries() -> None:
    data = (
        image(0x56453709, message((1, 7), (2, 5)))
        + b"12345"
        + image(0, message((1, 8), (2, 0)), first=None)[4:]
    )
    read = decode(data)
    assert [(e.message, e.extra) for e in read.entries] == [
        (PipeData(pipe_id=7, bytes=5), b"12345"),
        (PipeData(pipe_id=8, bytes=0), b""),
    ]
    assert encode(read) == data


def test_data_behind_entries_of_a_tcp_stream() -> None:
    data = image(0x51465506, message((1, 2), (2, 0), (3, 3), (4, 0))) + b"inout"
    assert decode(data).entries[0].extra == b"inout"
    with pytest.raises(ImageError, match="data behind an entry needs 5 bytes, found 4"):
        decode(data[:-1])


def test_headers_of_new_images() -> None:
    assert encode(new_image(kinds.INVENTORY, [])) == (0x58313116).to_bytes(4, "little")
    assert encode(new_image(kinds.PSTREE, [])) == (0x54564319).to_bytes(4, "little") + b"\x30\x30\x27\x50"
    stats = new_image(kinds.STATS, [Stats()])
    assert encode(stats)[:8] == (0x55105940).to_bytes(4, "little") + (0x57093306).to_bytes(4, "little")
    assert decode(encode(stats)).only(Stats) == Stats()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (image(0x50273030) + b"\1\0", r"img: offset 0x8: size of an entry needs 4 bytes, found 2"),
        (image(0x50273030) + b"\x09\0\0\0ab", r"offset 0xc: ProcessTreeEntry message needs 9 bytes, found 2"),
        (image(0x50273030, b"\xff\xff"), r"offset 0xc: ProcessTreeEntry message: "),
        (image(0x50273030, message((1, 1))), "ProcessTreeEntry message lacks a required field"),
    ],
)
def test_malformed(data: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "pstree.img"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=problem):
        read_image(path)


def test_refusals(tmp_path: Path, counter: ImageDirectory) -> None:
    with pytest.raises(ImageError, match="absent: No such file"):
        read_image(tmp_path / "absent")
    with pytest.raises(ImageError, match="expected an image of kind core, found pstree"):
        read_image(counter.path / "pstree.img", kinds.CORE)
    with pytest.raises(ImageError, match="expected one FileEntry, found 7"):
        counter.image("files.img").only(FileEntry)
    with pytest.raises(ImageError, match="Inventory"):
        encode(new_image(kinds.INVENTORY, [Inventory()]))


def test_entries_may_be_added(counter: ImageDirectory) -> None:
    tree = counter.image("pstree.img")
    tree.entries.append(Entry(ProcessTreeEntry(pid=5, ppid=1, pgid=5, sid=5, threads=[5, 6])))
    assert [entry.pid for entry in decode(encode(tree)).messages(ProcessTreeEntry)][1:] == [5]


def test_file_names() -> None:
    assert kinds.by_file_name("pagemap-shmem-7.img") is kinds.PAGEMAP
    assert kinds.by_file_name("pages-1.img") is None
    assert len({kind.magic for kind in kinds.KINDS}) == len(kinds.KINDS)


@given(st.sampled_from(IMAGES), st.data())
def test_damaged_images_are_read_or_refused(path: Path, data: st.DataObject) -> None:
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        read = decode(bytes(damaged))
    except ImageError:
        return
    assert encode(read) == bytes(damaged)


@given(st.binary(max_size=200), st.sampled_from(kinds.KINDS))
def test_random_bytes_are_read_or_refused(data: bytes, kind: kinds.Kind) -> None:
    try:
        read = decode(image(kind.magic) + data)
    except ImageError:
        return
    assert isinstance(read, Image)
    assert encode(read) == image(kind.magic) + data

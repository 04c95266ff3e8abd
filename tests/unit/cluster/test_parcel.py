# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small images in one piece: as the tool on a node makes and takes them, and what of a node's is refused."""

from __future__ import annotations

import os
import random
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from transproc.cluster import parcel
from transproc.cluster.members import IMAGES
from transproc.errors import FormatError
from transproc.process.build import build

CONTENTS = {
    "core-1.img": b"\0" * 5000,
    "dump.log": b"",
    "pages-1.img": bytes(range(256)) * 1000,
    "identities": b"x",
}
FILE, LINK = 2, 3


def record(kind: int, path: bytes, content: bytes = b"", *, size: int | None = None) -> bytes:
    return struct.pack("<IIQ", kind, len(path), len(content) if size is None else size) + path + content


END = record(0, b"\0")


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    directory = tmp_path / "dump"
    directory.mkdir()
    for name, content in CONTENTS.items():
        (directory / name).write_bytes(content)
    return directory


def tool(action: str, directory: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    words = [build(os.uname().machine), action, "--dir", directory]
    return subprocess.run(words, input=stdin, capture_output=True, check=False)


def test_what_a_node_gives_becomes_the_same_files_for_their_owner_alone(dump: Path, tmp_path: Path) -> None:
    given = tool("give", dump)
    assert not given.returncode and not given.stderr
    here = tmp_path / "a" / "b" / "dump"
    parcel.unpack(given.stdout, here, IMAGES)
    assert {path.name: path.read_bytes() for path in here.iterdir()} == CONTENTS
    assert {stat.S_IMODE(path.stat().st_mode) for path in (here, here.parent, here.parent.parent)} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in here.iterdir()} == {0o600}


def test_a_node_takes_directories_files_and_links_and_follows_none(dump: Path, tmp_path: Path) -> None:
    (dump.parent / "image").mkdir()
    (dump.parent / "image" / "parent").symlink_to("../dump")
    there, other = tmp_path / "there", tmp_path / "other"
    data = parcel.pack(dump.parent)
    (there / "dump").mkdir(parents=True)
    other.write_text("not ours")
    (there / "dump" / "core-1.img").symlink_to(other)
    done = tool("take", there, data)
    assert not done.returncode, done.stderr
    assert other.read_text() == "not ours"
    assert {path.name: path.read_bytes() for path in (there / "image" / "parent").iterdir()} == CONTENTS
    assert os.readlink(there / "image" / "parent") == "../dump"  # noqa: PTH115
    assert {stat.S_IMODE(path.stat().st_mode) for path in (there / "dump").iterdir()} == {0o600}


def test_nothing_of_what_is_not_whole_is_taken(dump: Path, tmp_path: Path) -> None:
    data = parcel.pack(dump)
    for end in (*range(0, 200, 7), len(data) - 1):
        done = tool("take", tmp_path / "there", data[:end])
        assert done.returncode == 1 and b"not whole" in done.stderr
    assert not (tmp_path / "there").exists()


def test_what_is_too_much_for_one_piece_is_not_given(dump: Path) -> None:
    """An image has files without a name as well, whose size no look at memory tells."""
    with (dump / "ghost-file-1.img").open("wb") as file:
        file.truncate(16 << 20)
    done = tool("give", dump)
    assert (done.returncode, done.stdout, done.stderr) == (parcel.TOO_LARGE, b"", b"")


def test_what_cannot_be_written_is_said(dump: Path) -> None:
    done = tool("take", Path("/dev/null/x"), parcel.pack(dump))
    assert done.returncode == 1 and b"cannot be written" in done.stderr


@pytest.mark.parametrize(
    "data",
    [
        b"",
        END[:-1],
        END + b"x",
        record(FILE, b"core-1.img\0", b"abc"),  # no end
        record(FILE, b"core-1.img\0", b"abc", size=1 << 63) + END,
        record(FILE, b"core-1.img", b"abc") + END,
        record(FILE, b"a" * 5000 + b"\0") + END,
        record(FILE, b"") + END,
        record(FILE, b"../core-1.img\0") + END,
        record(FILE, b"/etc/passwd\0") + END,
        record(FILE, b"..\0") + END,
        record(FILE, b"a\0b.img\0") + END,
        record(FILE, b"evil.sh\0") + END,
        record(LINK, b"core-1.img\0", b"/etc\0") + END,
        record(1, b"core-1.img\0") + END,
        record(9, b"core-1.img\0") + END,
        2 * record(FILE, b"core-1.img\0") + END,
    ],
)
def test_what_a_node_may_not_send_is_refused_before_anything_is_written(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a parcel of an image directory"):
        parcel.unpack(data, tmp_path / "x" / "dump", IMAGES)
    assert not (tmp_path / "x").exists()


def test_damaged_parcels_are_refused_or_harmless(dump: Path, tmp_path: Path) -> None:
    good, chance, refused = tool("give", dump).stdout, random.Random(7), 0
    heads = [at for at in range(len(good)) if good.startswith((b"core", b"dump", b"pages", b"ident"), at)]
    for _ in range(300):
        data = bytearray(good)
        data[max(0, chance.choice(heads) - chance.randrange(17))] ^= 1 << chance.randrange(8)
        try:
            parcel.unpack(bytes(data), tmp_path / "safe" / "dump", IMAGES)
        except FormatError:
            refused += 1
        outside = {path.name for path in tmp_path.iterdir()} - {"dump", "safe"}
        assert not outside and {path.name for path in (tmp_path / "safe").glob("*")} <= {"dump"}
    assert refused > 100

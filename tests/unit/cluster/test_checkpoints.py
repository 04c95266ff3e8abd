# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A checkpoint's directory: complete or absent, and believed in nothing."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc.cluster import checkpoints
from transproc.cluster.checkpoints import Checkpoint, Draft, Manifest
from transproc.cluster.checkpoints.manifest import Outside, parse
from transproc.errors import FormatError, StoreError, TransprocError, UnsupportedError


def manifest(**more: object) -> Manifest:
    words: dict[str, object] = {
        "name": "j", "id": "ab12-cd34", "number": 1, "taken": 1.5, "node": "x86", "isa": "x86_64", "kernel": "6.12",
        "criu": "4.1.1", "transproc": "0.1.0", "argv": ["prog", "1"], "env": ["A=b"], "pid": 7, "started": 1.0, "moves": 2,
        "terminal": False, "user": "ann", "uid": 1000, "gid": 1000, "groups": [1000], "directory": "j", "memory": 4096,
        "ids": [7, 8], "capabilities": 0, "outside": [Outside("/etc/hosts", 12)], "bound": [], "exclude": [], "gnu": True,
        "tcp_close": False, "file_locks": True, "link_remap": False, "processor": {"x86_64": [], "aarch64": ["asimd"]},
        "downtime": 0.25,
    }  # fmt: skip
    return Manifest(**{**words, **more})  # type: ignore[arg-type]


def archive(top: str = "data") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as made:
        member = tarfile.TarInfo(top)
        member.type = tarfile.DIRTYPE
        made.addfile(member)
    return file.getvalue()


def write(directory: Path, top: str = "data") -> Checkpoint:
    path, number = checkpoints.next_path(directory, "j")
    draft = Draft(path)
    draft.make()
    draft.images.mkdir()
    (draft.images / "inventory.img").write_bytes(b"image")
    for isa in ("x86_64", "aarch64"):
        (draft.pair / f"prog.{isa}").write_bytes(isa.encode())
    with draft.open_archive() as file:
        file.write(archive(top))
    return draft.finish(manifest(number=number, contents=draft.contents()))


def test_written_and_read(tmp_path: Path) -> None:
    made = write(tmp_path / "to")
    found = checkpoints.read(made.path)
    checkpoints.verify(found)
    assert found.manifest == made.manifest
    assert found.size == sum(made.manifest.contents.values()) > 10000
    assert [path.name for path in (tmp_path / "to").iterdir()] == [made.path.name]
    for line in (made.path / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((made.path / name).read_bytes()).hexdigest() == digest


def test_a_job_made_of_it() -> None:
    job = manifest().job("arm", "other")
    assert (job.name, job.directory, job.pid, job.moves, job.uid) == ("other", "j", 7, 2, 1000)
    assert manifest(directory="i").job("arm").directory == "i"
    assert manifest().job("arm").directory == ""


def test_the_newest_stay(tmp_path: Path) -> None:
    made = [write(tmp_path).path for _ in range(11)]
    (tmp_path / "j-20260101T000000Z-99").write_text("a file")
    (tmp_path / "j-2-20260101T000000Z-99").mkdir()
    assert checkpoints.listed(tmp_path, "j") == made
    assert checkpoints.latest(tmp_path, "j") == made[-1]
    assert checkpoints.prune(tmp_path, "j", 2) == made[:-2]
    assert checkpoints.listed(tmp_path, "j") == made[-2:]
    assert checkpoints.next_path(tmp_path, "j")[1] == 12
    assert (tmp_path / "j-2-20260101T000000Z-99").is_dir()


def test_a_draft_is_none(tmp_path: Path) -> None:
    draft = Draft(checkpoints.next_path(tmp_path, "j")[0])
    draft.make()
    assert checkpoints.latest(tmp_path, "j") is None
    draft.discard()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    checkpoints.discard(tmp_path / "mine")
    assert (tmp_path / "mine").is_dir()


def test_no_room_is_said(tmp_path: Path) -> None:
    (tmp_path / "to").write_text("a file")
    with pytest.raises(StoreError, match=r"the checkpoint .*j-.*-1: (File exists|Not a directory)"):
        Draft(checkpoints.next_path(tmp_path / "to", "j")[0]).make()


def test_no_checkpoint(tmp_path: Path) -> None:
    made = write(tmp_path)
    with pytest.raises(FormatError, match=r"is no checkpoint: it has no manifest\.json") as raised:
        checkpoints.read(tmp_path)
    assert raised.value.hint == f"in it there are {made.path.name}"
    with pytest.raises(TransprocError, match="no such directory"):
        checkpoints.read(tmp_path / "missing")


def changed(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (path / name).write_bytes(data)

    return change


def linked(name: str) -> Callable[[Path], None]:
    def link(path: Path) -> None:
        kept = path.parent / "kept"
        (path / name).rename(kept)
        (path / name).symlink_to(kept)

    return link


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (changed("images/inventory.img"), "images/inventory.img: is not what was written"),
        (changed("pair/prog.aarch64"), r"pair/prog\.aarch64: is not what was written"),
        (changed("files.tar"), "."),
        (changed("manifest.json"), "."),
        (changed("SHA256SUMS"), "."),
        (linked("files.tar"), "is a symbolic link"),
        (linked("images"), "symbolic link|holds what does not belong"),
        (linked("SHA256SUMS"), "is a symbolic link"),
        (linked("manifest.json"), "is a symbolic link"),
        (lambda path: (path / "images/inventory.img").write_bytes(b"longer image"), "has 12 bytes, expected 5"),
        (lambda path: (path / "images/inventory.img").unlink(), "No such file"),
        (lambda path: (path / "images/x.img").write_bytes(b""), "holds what does not belong to it: images/x.img"),
        (lambda path: (path / "more").mkdir() or (path / "more/x").mkdir(), "does not belong to it: more/x"),
        (lambda path: (path / "SHA256SUMS").write_text(""), "does not list what is there"),
        (lambda path: (path / "SHA256SUMS").write_text("x\n"), "is damaged"),
        (lambda path: os.mkfifo(path / "images/pipe.img"), "does not belong"),
    ],
)  # fmt: skip
def test_whatever_is_changed_is_noticed(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    path = write(tmp_path).path
    damage(path)
    with pytest.raises(TransprocError, match=message):
        checkpoints.verify(checkpoints.read(path))


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    """It would be unpacked over the program's binary."""
    with pytest.raises(FormatError, match="begins with 'bin'"):
        checkpoints.verify(write(tmp_path, "bin"))


WHOLE = json.loads(
    manifest(
        contents={"images/inventory.img": 1, "pair/prog.x86_64": 1, "pair/prog.aarch64": 1, "files.tar": 1}
    ).text()
)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../x"}, {"directory": "a/b"}, {"argv": []}, {"argv": ["bin/../x"]}, {"argv": [1]}, {"argv": [".."]},
        {"argv": ["prog.x86_64"]}, {"argv": [""]}, {"addresses": ["10.7.0.5"]}, {"gateways": ["10.7.0.1"]},
        {"pid": 0}, {"pid": 1 << 22}, {"pid": 9},
        {"user": "a b"}, {"isa": "riscv64"}, {"id": "../x"}, {"processor": {}}, {"moves": -1}, {"taken": "1"},
        {"terminal": 1}, {"format": 0.5}, {"ids": 7}, {"contents": {}}, {"outside": [{}]}, {"extra": 1}, {"uid": True},
        {"outside": [{"path": "etc", "size": 1, "sha256": ""}]}, {"outside": [{"path": "/etc", "size": -1, "sha256": ""}]},
        *({"contents": {**WHOLE["contents"], name: 1}} for name in ("images/../x", "/etc/passwd", "images/a/b", "pair/x", "x")),
    ],
)  # fmt: skip
def test_a_manifest_is_checked(change: dict[str, object]) -> None:
    parse(json.dumps(WHOLE).encode(), Path("m"))
    with pytest.raises(FormatError, match="m: "):
        parse(json.dumps({**WHOLE, **change}).encode(), Path("m"))


def test_a_later_format() -> None:
    with pytest.raises(UnsupportedError, match="is of format 2, expected at most 1"):
        parse(b'{"format": 2}', Path("m"))


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.sampled_from(sorted(WHOLE)), VALUES)
def test_any_value_anywhere(key: str, value: object) -> None:
    """Is read, or is an error of ours."""
    with contextlib.suppress(TransprocError):
        parse(json.dumps({**WHOLE, key: value}).encode(), Path("m"))

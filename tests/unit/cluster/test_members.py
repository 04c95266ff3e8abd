# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What may come out of a node's archive: images, and a job's files; everything else is refused before it is unpacked."""

from __future__ import annotations

import io
import os
import random
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from transproc.cluster.local import LocalNode
from transproc.cluster.members import FILES, IMAGES, Checker, Rules, checked
from transproc.errors import FormatError
from transproc.run import run


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: object
) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, len(data)
    for key, value in fields.items():
        setattr(member, key, value)
    return member, data


def top(name: str = "data") -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, tarfile.DIRTYPE, mode=0o700)


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def check(data: bytes, rules: Rules = FILES, piece: int = 1 << 20) -> None:
    checker = Checker(rules)
    for at in range(0, len(data), piece):
        checker.feed(data[at : at + piece])
    checker.finish()


@pytest.mark.parametrize("piece", [1, 7, 511, 512, 513, 10240])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_jobs_have(piece: int, form: int) -> None:
    long = "data/" + "n" * (90 if form == tarfile.USTAR_FORMAT else 200)
    odd = {tarfile.PAX_FORMAT: "ü", tarfile.GNU_FORMAT: "\udcff", tarfile.USTAR_FORMAT: "u"}
    data = archive(
        top(),
        entry("data/file", data=b"x" * 1000),
        entry("data/other", tarfile.LNKTYPE, linkname="data/file"),
        entry("data/link", tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry("data/pipe", tarfile.FIFOTYPE),
        entry("data/deep", tarfile.DIRTYPE),
        entry(f"data/deep/{odd[form]}", data=b"y"),
        entry(long, data=b"z" * 512),
        form=form,
    )
    check(data, piece=piece)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "above": lambda: archive(top(), entry("data/../evil", data=b"x")),
    "absolute": lambda: archive(top(), entry("/etc/evil", data=b"x")),
    "beside": lambda: archive(top(), entry("id", data=b"x")),
    "no directory": lambda: archive(entry("data/evil", data=b"x")),
    "through a link": lambda: archive(
        top(), entry("data/link", tarfile.SYMTYPE, linkname="/root"), entry("data/link/evil", data=b"x")
    ),
    "a link replaced by a directory": lambda: archive(
        top(), entry("data/link", tarfile.SYMTYPE, linkname="/root"), entry("data/link", tarfile.DIRTYPE)
    ),
    "a link to a link": lambda: archive(
        top(),
        entry("data/link", tarfile.SYMTYPE, linkname="/root"),
        entry("data/copy", tarfile.LNKTYPE, linkname="data/link"),
    ),
    "a hard link out": lambda: archive(top(), entry("data/shadow", tarfile.LNKTYPE, linkname="/etc/shadow")),
    "a device": lambda: archive(top(), entry("data/disk", tarfile.BLKTYPE, devmajor=8)),
    "a terminal": lambda: archive(top(), entry("data/tty", tarfile.CHRTYPE, devmajor=5)),
    "sparse of old": lambda: archive(top(), entry("data/file", tarfile.GNUTYPE_SPARSE)),
    "of a volume": lambda: archive(top(), entry("data/file", b"M")),
    "twice": lambda: archive(top(), entry("data/file", data=b"x"), entry("data/file", data=b"y")),
    "cut": lambda: archive(top(), entry("data/file", data=b"x" * 2000))[:1500],
    "without an end": lambda: archive(top())[:512],
    "empty": lambda: b"",
    "more behind the end": lambda: archive(top()) + archive(entry("evil", data=b"x")),
    "a wrong sum": lambda: archive(top()).replace(b"data/", b"dada/", 1),
    "a directory with contents": lambda: archive(top(), entry("data/d", tarfile.DIRTYPE, b"x")),
    "global headers": lambda: tarfile.TarInfo.create_pax_global_header({"path": "evil"}) + archive(top()),
    "other names of a file": lambda: archive(
        top(), entry("data/f", data=b"x", pax_headers={"SCHILY.path": "evil"})
    ),
    "attributes": lambda: archive(
        top(), entry("data/f", data=b"x", pax_headers={"SCHILY.xattr.security.capability": "x"})
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_job_has(name: str) -> None:
    with pytest.raises(FormatError):
        check(HOSTILE[name]())


def test_headers_of_two_formats() -> None:
    """The first letters of a name are in a field that GNU's headers do not have."""
    member = entry("x", data=b"")[0]
    block = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    block[345:349] = b"data"
    block[257:265] = b"ustar  \0"
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    with pytest.raises(FormatError, match="two formats"):
        check(archive(top())[:512] + bytes(block) + bytes(1024))


def test_who_may_have_programs_of_another_user() -> None:
    data = archive(top(), entry("data/su", data=b"x", mode=0o4755, uid=0))
    check(data, Rules("files", owner=0))
    with pytest.raises(FormatError, match="runs as user 0 whoever starts it"):
        check(data, Rules("files", owner=1000))
    check(archive(top(), entry("data/own", data=b"x", mode=0o4755, uid=1000)), Rules("files", owner=1000))
    pax = archive(top(), entry("data/su", data=b"x", mode=0o4755, uid=1000, pax_headers={"uid": "0"}))
    with pytest.raises(FormatError, match="runs as user 0"):
        check(pax, Rules("files", owner=1000))


@pytest.mark.parametrize(
    "name", ["core-1.img", "pages-12.img", "dump.log", "identities", "terminal", "tmpfs-dev-7.tar.gz.img"]
)
def test_what_images_are_made_of(name: str) -> None:
    check(archive(top("dump"), entry(f"dump/{name}", data=b"x")), IMAGES)


@pytest.mark.parametrize(
    "member",
    [
        entry("dump/x.img", tarfile.SYMTYPE, linkname="/root/.ssh/id_ed25519"),
        entry("dump/parent", tarfile.SYMTYPE, linkname="/"),
        entry("dump/deep", tarfile.DIRTYPE),
        entry("dump/pipe.img", tarfile.FIFOTYPE),
        entry("dump/.bashrc", data=b"x"),
        entry("dump/authorized_keys", data=b"x"),
    ],
)
def test_what_images_are_not_made_of(member: tuple[tarfile.TarInfo, bytes]) -> None:
    with pytest.raises(FormatError):
        check(archive(top("dump"), member), IMAGES)


def test_damaged_archives() -> None:
    """They are refused, or mean what Python's reader finds in them: names below the top."""
    chance = random.Random(1)
    good = archive(
        top(), entry("data/f", data=b"x" * 600), entry("data/" + "n" * 150, data=b"y"), entry("data/g")
    )
    accepted = 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.choice((1, 2, 4))):
            data[chance.randrange(len(data))] = chance.choice((0, 10, 47, 46, 255, chance.randrange(256)))
        try:
            check(bytes(data))
        except FormatError:
            continue
        accepted += 1
        with tarfile.open(fileobj=io.BytesIO(bytes(data))) as tar:
            assert all(member.name == "data" or member.name.startswith("data/") for member in tar)
    assert accepted > 100


def test_nothing_of_a_refused_piece_is_passed_on() -> None:
    sink = io.BytesIO()
    with pytest.raises(FormatError), checked(FILES, sink) as stream:
        stream.write(HOSTILE["a device"]())
    assert sink.getvalue() == b""


@pytest.mark.parametrize("make", ["link", "pipe", "directory", "device", "stranger"])
def test_a_dump_with_more_than_images_is_not_taken(tmp_path: Path, make: str) -> None:
    """From a node, by its tar and ours: a link in it named any file of this machine."""
    dump = tmp_path / "dump"
    dump.mkdir()
    (dump / "core-1.img").write_bytes(b"x")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    if make == "link":
        (dump / "x.img").symlink_to(secret)
    elif make == "pipe":
        os.mkfifo(dump / "x.img")
    elif make == "directory":
        (dump / "x.img").mkdir()
    elif make == "device":
        run(["mknod", dump / "x.img", "c", "1", "3"])
    else:
        (dump / "x.sh").write_text("")
    with pytest.raises(FormatError, match="x"):
        LocalNode().get(str(dump), tmp_path / "host" / "dump", IMAGES)
    assert not (tmp_path / "host" / "dump" / "x.img").exists()


def test_images_are_private_here_whatever_they_were_there(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.mkdir(mode=0o755)
    (dump / "pages-1.img").write_bytes(bytes(1 << 16))
    (dump / "pages-1.img").chmod(0o644)
    here = tmp_path / "state" / "images" / "dump"
    LocalNode().get(str(dump), here, IMAGES)
    assert (here / "pages-1.img").read_bytes() == bytes(1 << 16)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (here.parent, here, here / "pages-1.img")}
    assert list(modes.values()) == [0o700, 0o700, 0o600]

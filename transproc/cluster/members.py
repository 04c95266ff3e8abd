# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What may come out of an archive that another machine has made: checked while it passes, member by member.

A tar stream (ustar headers of POSIX.1-1988, extended headers of POSIX.1-2001 as GNU tar writes them, GNU's long names) is
read as far as its headers; the contents pass as they are. A member that is not as the rules say is an error before any byte of
it, or of the piece of the stream that it came with, is passed on. What is not understood is refused: who unpacks could
understand it otherwise.
"""

from __future__ import annotations

import os
import re
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import IO

from transproc.errors import CommandError, FormatError

BLOCK = 512
PIECE = 1 << 18
MOST_HEADER = 1 << 16
"""Bytes of an extended header: it holds names, of at most PATH_MAX = 4096 bytes each, and numbers."""
MOST_MEMBERS = 1 << 22

_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)
_EXTENDED = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_KNOWN = frozenset(
    "path linkpath size uid gid uname gname mtime atime ctime "
    "GNU.sparse.major GNU.sparse.minor GNU.sparse.name GNU.sparse.realsize".split()
)
_RECORD = re.compile(rb"(\d{1,6}) ([^=\n]{1,64})=")
_SET_ID = 0o6000
_MAGIC, _PREFIX = slice(257, 263), slice(345, 500)


@dataclass(frozen=True)
class Rules:
    """What the members of an archive may be.

    `names`: of the files below the top, else any; `flat`: regular files and the directory that holds them, nothing else;
    `owner`: the one user who may have files with the set-user-ID or set-group-ID bit, else any.
    """

    what: str
    names: re.Pattern[str] | None = None
    flat: bool = False
    owner: int | None = None

    def allows(self, name: str) -> bool:
        """Whether a regular file directly below the top may have that name."""
        plain = name not in ("", ".", "..") and not {"/", "\0"} & {*name}
        return plain and (self.names is None or bool(self.names.fullmatch(name)))

    def owned_by(self, uid: int) -> Rules:
        """The same, for a user whose files only may be programs that run as their owner."""
        return replace(self, owner=uid)


IMAGES = Rules(
    "an image directory",
    re.compile(
        r"[A-Za-z0-9_-]+(\.tar\.gz)?\.img|[a-z]+\.log|stats-dump|identities|attributes|terminal|clocks|owed"
    ),
    True,
)
"""What criu and the pause tool write (criu/image-desc.c; `tmpfs-dev-*.tar.gz.img`)."""
UPLOAD = Rules("files of a new job")
FILES = Rules("files of a job")


class Checker:
    """Follows one archive; `feed` takes pieces of any size, `finish` its end. Both raise FormatError.

    `top`: the name of its first member, which all others are below; else any.
    """

    def __init__(self, rules: Rules, *, top: str | None = None) -> None:
        self._rules = rules
        self._top = top
        self._head = bytearray()
        self._left = 0  # bytes of contents, and of what fills their last block
        self._extended: bytearray | None = None
        self._extended_size = 0
        self._kind = b""
        self._records: dict[str, str] = {}
        self._seen: dict[str, bytes] = {}
        self._ended = False

    def feed(self, data: bytes) -> None:
        """The next bytes of the stream."""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                if self._extended is not None:
                    self._extended += data[at : at + step]
                self._left -= step
                at += step
                if not self._left and self._extended is not None:
                    self._take_extended()
                continue
            step = min(BLOCK - len(self._head), len(data) - at)
            self._head += data[at : at + step]
            at += step
            if len(self._head) == BLOCK:
                block = bytes(self._head)
                self._head.clear()
                self._take(block)

    def finish(self) -> None:
        """The stream has ended."""
        if not self._ended or self._left or self._head or not self._seen:
            raise self._error("ends too soon")

    def _error(self, message: str) -> FormatError:
        return FormatError(
            f"an archive of {self._rules.what} {message}",
            hint="what the node sends is not what was asked for",
        )

    def _take(self, block: bytes) -> None:
        if not any(block):
            self._ended = True
            return
        if self._ended:
            raise self._error("goes on after its end")
        try:
            member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise self._error(f"is damaged: {error}") from error
        self._expect(member.size >= 0, "is damaged: a negative size")
        # Where these bytes belong to the name depends on who reads them.
        self._expect(block[_MAGIC] == b"ustar\0" or not any(block[_PREFIX]), "has headers of two formats")
        if member.type in _EXTENDED:
            self._expect(member.size <= MOST_HEADER, f"has an extended header of {member.size} bytes")
            self._extended, self._kind, self._extended_size = bytearray(), member.type, member.size
            self._hold(member.size)
            if not member.size:
                self._take_extended()
            return
        self._take_member(member)

    def _hold(self, size: int) -> None:
        self._left = (size + BLOCK - 1) // BLOCK * BLOCK

    def _take_extended(self) -> None:
        data, self._extended = bytes(self._extended or b"")[: self._extended_size], None
        if self._kind == tarfile.XHDTYPE:
            found = self._parse(data)
        else:
            key = "path" if self._kind == tarfile.GNUTYPE_LONGNAME else "linkpath"
            found = {key: os.fsdecode(data.rstrip(b"\0"))}
        self._expect(not found.keys() & self._records.keys(), "says one thing twice")
        self._records |= found

    def _parse(self, data: bytes) -> dict[str, str]:
        """Records of an extended header: length, key, value (pax(1), "pax Extended Header")."""
        found: dict[str, str] = {}
        at = 0
        while at < len(data):
            match = _RECORD.match(data, at)
            end = at + int(match[1]) if match else 0
            if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
                raise self._error("is damaged: an extended header")
            key, value = os.fsdecode(match[2]), data[match.end() : end - 1]
            self._expect(key in _KNOWN and b"\0" not in value, f"has a header {key!r}")
            self._expect(key not in found, "says one thing twice")
            found[key] = os.fsdecode(value)
            at = end
        return found

    def _take_member(self, member: tarfile.TarInfo) -> None:
        records, self._records = self._records, {}
        name = records.get("GNU.sparse.name", records.get("path", member.name))
        link = records.get("linkpath", member.linkname)
        size = int(self._number(records.get("size", str(member.size))))
        uid = int(self._number(records.get("uid", str(member.uid))))
        path = name.removesuffix("/") if member.isdir() else name
        self._check_name(path)
        kind = tarfile.REGTYPE if member.type in _REGULAR else member.type
        self._check_kind(kind, path, link)
        set_id = member.mode & _SET_ID and kind != tarfile.DIRTYPE
        if set_id and self._rules.owner is not None and uid != self._rules.owner:
            raise self._error(f"holds {path!r}, which runs as user {uid} whoever starts it")
        self._seen[path] = kind
        self._expect(len(self._seen) <= MOST_MEMBERS, f"has more than {MOST_MEMBERS} members")
        if kind == tarfile.REGTYPE:
            self._hold(size)
        else:
            self._expect(size == 0, f"holds {path!r}, which is no file and has contents")

    def _number(self, text: str) -> str:
        self._expect(text.isascii() and text.isdigit() and len(text) < 20, f"has a number {text!r}")
        return text

    def _check_name(self, path: str) -> None:
        parts = path.split("/")
        self._expect(not {"", ".", ".."} & set(parts), f"holds {path!r}")
        self._expect(path not in self._seen, f"holds {path!r} twice")
        if not self._seen:
            self._expect(len(parts) == 1 and self._top in (None, path), f"begins with {path!r}")
            return
        # Each directory comes before what is in it, so nothing lies behind a link, nor beside the top.
        above = "/".join(parts[:-1])
        self._expect(self._seen.get(above) == tarfile.DIRTYPE, f"holds {path!r}, but no directory for it")

    def _check_kind(self, kind: bytes, path: str, link: str) -> None:
        _, _, name = path.partition("/")
        if self._rules.flat:
            self._expect(
                kind == (tarfile.REGTYPE if name else tarfile.DIRTYPE),
                f"holds {path!r}, which is no regular file",
            )
            self._expect(not name or self._rules.allows(name), f"holds {path!r}, which has no place in it")
        elif kind == tarfile.LNKTYPE:
            self._expect(
                self._seen.get(link) == tarfile.REGTYPE,
                f"holds {path!r}, a link to {link!r}, which is no file of it",
            )
        else:
            known = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE)
            self._expect(kind in known, f"holds {path!r}, which is neither file, directory, link nor pipe")

    def _expect(self, good: bool, message: str) -> None:
        if not good:
            raise self._error(message)


@contextmanager
def checked(rules: Rules, sink: IO[bytes], *, top: str | None = None) -> Iterator[IO[bytes]]:
    """A pipe: what is written to it is checked and passed on to `sink`, which stays open.

    Raises FormatError at its end, before what comes of a writer that then found the pipe closed.
    """
    outlet, inlet = os.pipe()
    found: list[FormatError] = []

    def pass_on() -> None:
        checker = Checker(rules, top=top)
        try:
            while data := os.read(outlet, PIECE):
                checker.feed(data)
                sink.write(data)
            checker.finish()
            sink.flush()
        except FormatError as error:
            found.append(error)
        except (BrokenPipeError, ValueError):
            pass  # whoever reads the sink has ended, and says why
        finally:
            os.close(outlet)

    thread = threading.Thread(target=pass_on, name="transproc-members", daemon=True)
    thread.start()
    try:
        with os.fdopen(inlet, "wb", buffering=0) as stream:
            yield stream
    except CommandError as error:
        thread.join()
        # A source that failed says more than the archive that it did not finish; one that the closed pipe ended says nothing.
        if found and not found[0].message.endswith("ends too soon"):
            raise found[0] from error
        raise
    finally:
        with suppress(RuntimeError):
            thread.join()
    if found:
        raise found[0]

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a checkpoint says of itself: one JSON object, which we have written, but others may have changed."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transproc.cluster import addresses
from transproc.cluster.job import Job, check_name
from transproc.cluster.members import IMAGES
from transproc.errors import FormatError, TransprocError, UnsupportedError
from transproc.isa import ALL
from transproc.process.criu import Options

FORMAT = 1
"""Of the directory and of this object; a later transproc reads it, an earlier one refuses."""
LARGEST = 16 << 20
"""Bytes of a manifest: it lists files, argument and environment."""
_PROGRAM = re.compile(r"(?!\.{0,2}$)[^/\0\n]{1,240}")
_ID = re.compile(r"[0-9a-f-]{1,64}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}|")
_DIGEST = re.compile(r"[0-9a-f]{64}|")


@dataclass(frozen=True)
class Outside:
    """A file beyond the job's directory that the program uses, by its path; `size` in bytes if it was open; SHA-256, if known."""

    path: str
    size: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Manifest:
    """A job at one moment, and what is needed to go on from there. Sizes in bytes, times in seconds.

    `number`: of the checkpoint, among those in the same place; `taken`: by the clock of the host; `isa`, `kernel`, `criu`: of the
    node that dumped it; `exclude`: what of the working directory was left out; `gnu`: a GNU tar wrote `files.tar`; `bound`: why
    it can go on with the same ISA only; `processor`: by ISA, what the binaries need; `contents`: sizes of all files.
    """

    name: str
    id: str
    number: int
    taken: float
    node: str
    isa: str
    kernel: str
    criu: str
    transproc: str
    argv: list[str]
    env: list[str]
    pid: int
    started: float
    moves: int
    terminal: bool
    user: str
    uid: int
    gid: int
    groups: list[int]
    directory: str
    memory: int
    ids: list[int]
    capabilities: int
    outside: list[Outside]
    bound: list[str]
    exclude: list[str]
    gnu: bool
    tcp_close: bool
    file_locks: bool
    link_remap: bool
    processor: dict[str, list[str]]
    downtime: float
    addresses: list[str] = field(default_factory=list)
    gateways: list[str] = field(default_factory=list)
    contents: dict[str, int] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def program(self) -> str:
        """File name of the program, without the ISA."""
        return Path(self.argv[0]).name

    @property
    def options(self) -> Options:
        """Those of the dump, which the restore must have as well."""
        return Options(tcp_close=self.tcp_close, file_locks=self.file_locks, link_remap=self.link_remap)

    def job(self, node: str, name: str | None = None) -> Job:
        """A new job that goes on from here; its directory on nodes keeps the name that the program knows."""
        return Job(
            name or self.name,
            node,
            list(self.argv),
            pid=self.pid,
            moves=self.moves,
            terminal=self.terminal,
            user=self.user,
            uid=self.uid,
            gid=self.gid,
            groups=list(self.groups),
            addresses=list(self.addresses),
            gateways=list(self.gateways),
            directory="" if (name or self.name) == self.directory else self.directory,
        )

    def text(self) -> str:
        """As it is written."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def parse(text: bytes, path: Path) -> Manifest:
    """The reverse of `text`; raises `FormatError` for what is no manifest, `UnsupportedError` for one of a later version."""
    try:
        data = json.loads(text)
        _check_format(data["format"], path)
        manifest = _read(data)
        _check(manifest)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(f"is no manifest of a checkpoint: {error}", path=path) from error
    except UnsupportedError:
        raise
    except TransprocError as error:  # a name
        raise FormatError(error.message, path=path) from error
    return manifest


def _check_format(found: object, path: Path) -> None:
    if isinstance(found, int) and found > FORMAT:
        raise UnsupportedError(
            f"{path}: is of format {found}, expected at most {FORMAT}",
            hint="a later transproc has written it: use that one",
        )


def _read(data: Any) -> Manifest:
    if not isinstance(data, dict):
        raise TypeError("not an object")
    if unknown := data.keys() - _READERS.keys():
        raise ValueError(f"unknown {', '.join(sorted(map(str, unknown)))}")
    data = {"addresses": [], "gateways": []} | data  # a former version had none
    return Manifest(**{key: reader(data[key], key) for key, reader in _READERS.items()})


def _check(manifest: Manifest) -> None:
    for name in (manifest.name, manifest.directory):
        check_name(name)
    addresses.check(manifest.addresses, manifest.gateways)
    isas = [isa.name for isa in ALL]
    _expect(manifest.isa in isas, f"isa is {manifest.isa!r}")
    _expect(bool(manifest.argv) and bool(_PROGRAM.fullmatch(manifest.argv[0])), "argv has no program")
    _expect(0 < manifest.pid < 1 << 22 and manifest.pid in manifest.ids, f"pid is {manifest.pid}")
    _expect(bool(_ID.fullmatch(manifest.id)), f"id is {manifest.id!r}")
    _expect(bool(_USER.fullmatch(manifest.user)), f"user is {manifest.user!r}")
    _expect(set(manifest.processor) == set(isas), "processor does not name the ISAs")
    known = {"files.tar", "images/inventory.img", *(f"pair/{manifest.program}.{isa}" for isa in isas)}
    if missing := known - manifest.contents.keys():
        raise ValueError(f"contents lack {', '.join(sorted(missing))}")
    for path in manifest.contents.keys() - known:
        kind, _, name = path.partition("/")
        _expect(kind == "images" and bool(IMAGES.names and IMAGES.names.fullmatch(name)), f"a file {path!r}")
    for outside in manifest.outside:
        _expect(outside.path.startswith("/") and "\0" not in outside.path, f"a path {outside.path!r}")


def _expect(good: bool, message: str) -> None:
    if not good:
        raise ValueError(message)


def _plain(kind: type, *, least: float | None = None) -> Callable[[Any, str], Any]:
    def read(value: Any, key: str) -> Any:
        number = kind is float and type(value) is int
        if not number and type(value) is not kind:
            raise TypeError(f"{key} is {value!r}")
        if least is not None and not least <= value < 1 << 64:
            raise ValueError(f"{key} is {value!r}")
        return value

    return read


def _all(item: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def read(value: Any, key: str) -> Any:
        return [item(one, key) for one in _plain(list)(value, key)]

    return read


def _by_name(item: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def read(value: Any, key: str) -> Any:
        return {name: item(one, key) for name, one in _plain(dict)(value, key).items()}

    return read


def _outside(value: Any, key: str) -> Outside:
    found = _plain(dict)(value, key)
    if found.keys() != {"path", "size", "sha256"} or not _DIGEST.fullmatch(found["sha256"]):
        raise ValueError(f"{key} is {value!r}")
    size = found["size"]
    return Outside(
        _plain(str)(found["path"], key), None if size is None else _COUNT(size, key), found["sha256"]
    )


_TEXT, _FLAG, _COUNT = _plain(str), _plain(bool), _plain(int, least=0)
_READERS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("name", "id", "node", "isa", "kernel", "criu", "transproc", "user", "directory"), _TEXT),
    **dict.fromkeys(("format", "number", "pid", "moves", "uid", "gid", "memory", "capabilities"), _COUNT),
    **dict.fromkeys(("taken", "started", "downtime"), _plain(float, least=0)),
    **dict.fromkeys(("terminal", "gnu", "tcp_close", "file_locks", "link_remap"), _FLAG),
    **dict.fromkeys(("argv", "env", "bound", "exclude", "addresses", "gateways"), _all(_TEXT)),
    **dict.fromkeys(("groups", "ids"), _all(_COUNT)),
    "outside": _all(_outside),
    "processor": _by_name(_all(_TEXT)),
    "contents": _by_name(_COUNT),
}

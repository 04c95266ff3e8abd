# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files as tar streams: the host's side as a process with a pipe, the node's side as a shell command.

The host has GNU tar, which renames the archive's top entry on its way, so that a file or directory arrives under the name it
shall have. A node's tar may be a small one: it then gets no sparse files and no times below a second. What a node sends is
checked on its way (`members.py`).
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from transproc.cluster.members import FILES, IMAGES, UPLOAD, Rules, checked
from transproc.errors import CommandError
from transproc.run import spawn

_RICH = ["--format=posix", "--sparse"]
_PLAIN = ["--format=gnu"]
PRIVATE = 0o077
"""Umask for all that is made here and on nodes: it holds, or leads to, the memory and files of processes."""
_CLOSED_PIPE = (-signal.SIGPIPE, 128 + signal.SIGPIPE)
"""Status of a writer whose reader has ended, and of a shell around it."""


def _rename(name: str) -> str:
    """Option that replaces the first component of member names (flag S: not in targets of symbolic links)."""
    escaped = name.replace("\\", r"\\").replace("&", r"\&").replace(",", r"\,")
    return f"--transform=s,^[^/]*,{escaped},S"


@contextmanager
def _tar(
    argv: Sequence[str], *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A local tar that must succeed; raises CommandError, of the two sides the one that is to blame."""
    other: CommandError | None = None
    with (
        tempfile.TemporaryFile() as errors,
        spawn(argv, stdin=stdin, stdout=stdout, stderr=errors, umask=PRIVATE) as process,
    ):
        try:
            yield process
        except CommandError as error:
            other = error
        finally:
            _close(process)
        status = process.wait()
        errors.seek(0)
        text = errors.read().decode(errors="replace")
    # The reading side fails too when the writing one did, the writing side dies of a closed pipe when the reading one did.
    writer_first = other is not None and process.stdin is not None and other.status not in _CLOSED_PIPE
    if status and status not in _CLOSED_PIPE and not writer_first:
        raise CommandError(argv, status, text) from other
    if other is not None:
        raise other


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


@dataclass(frozen=True)
class Given:
    """Whose what is sent shall be, and its mode as chmod(1) has it (None: as here), in place of what it is here."""

    uid: int = 0
    gid: int = 0
    mode: str | None = "u=rwX,go="

    def words(self) -> list[str]:
        """As options of GNU tar."""
        return [
            f"--owner=+{self.uid}",
            f"--group=+{self.gid}",
            *([f"--mode={self.mode}"] if self.mode else []),
        ]


@contextmanager
def pack(local: Path, name: str, *, gnu: bool, given: Given | None = None) -> Iterator[IO[bytes]]:
    """A stream with an archive of `local`, a file or a directory, as top entry `name`; `gnu`: for a GNU tar."""
    path = local.absolute()
    options = [
        "--numeric-owner",
        *(_RICH if gnu else _PLAIN),
        _rename(name),
        *(given.words() if given else []),
    ]
    argv = ["tar", *options, "-C", str(path.parent), "-cf", "-", "--", path.name]
    with _tar(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout


@contextmanager
def extract(local: Path, rules: Rules) -> Iterator[IO[bytes]]:
    """A stream to which an archive with one top entry is written that has been checked; the entry becomes `local`."""
    path = local.absolute()
    for parent in reversed(path.parents):  # each of them private, not only the last
        parent.mkdir(mode=0o700, exist_ok=True)
    argv = ["tar", *_keeping(rules), _rename(path.name), "-C", str(path.parent), "-xf", "-"]
    with _tar(argv, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        yield process.stdin


@contextmanager
def unpack(local: Path, rules: Rules) -> Iterator[IO[bytes]]:
    """A stream to which an archive with one top entry is written; the entry becomes `local`.

    Raises FormatError if a member is not as `rules` say; then some of what came before it may be there.
    """
    with extract(local, rules) as sink, checked(rules, sink) as stream:
        yield stream


def size(local: Path) -> int:
    """Bytes in a file, or in the files of a directory; none where there is nothing: tar says what is missing."""
    paths = local.rglob("*") if local.is_dir() else [local]
    return sum(
        path.lstat().st_size for path in paths if path.is_symlink() or (path.exists() and not path.is_dir())
    )


def pack_script(
    remote: PurePosixPath,
    *,
    gnu: bool,
    tool: str | None = None,
    exclude: Sequence[str] = (),
    listed: str | None = None,
    changing: bool = False,
) -> str:
    """Shell command for a node that writes the archive of one path to its standard output.

    `exclude`: patterns of members that are left out, with what is below them; `*` matches `/` as well. `listed`: a file with
    the only members that there shall be, each beginning with the path's own name and ended by NUL (GNU tar). `changing`: files
    may change, and vanish, meanwhile; what arrives of those is anything (GNU tar tells it by status 1).
    With `tool`, the pause tool, pages of an image directory that are all zero are not sent: huge pages are, for the most part.
    """
    options = ["--numeric-owner", *_RICH] if gnu else []
    if exclude:
        options += [*(["--anchored"] if gnu else []), *(f"--exclude={pattern}" for pattern in exclude)]
    members = [remote.name] if listed is None else ["--no-recursion", "--null", "--no-unquote", "-T", listed]
    if changing and listed is not None:
        options.append("--ignore-failed-read")  # what was listed may be gone
    packing = shlex.join(["tar", *options, "-C", str(remote.parent), "-cf", "-", *members])
    if changing:
        packing = f"{packing} || [ $? = 1 ]"
    if not gnu or tool is None:
        return packing
    return f"{shlex.quote(tool)} sparse -- {shlex.quote(str(remote))}/pages-*.img >&2; {packing}"


def unpack_script(directory: PurePosixPath, *, rules: Rules = FILES, parents: bool = True) -> str:
    """Shell command for a node that unpacks its standard input in a directory, which is made when missing.

    `parents`: so are those above it; else they must be there.
    """
    place, keeping = shlex.quote(str(directory)), shlex.join(_keeping(rules))
    make = f"mkdir -p {place}" if parents else f"{{ [ -d {place} ] || mkdir {place}; }}"
    return f"umask {PRIVATE:03o}; {make} && tar -C {place} {keeping} -xf -"


def _keeping(rules: Rules) -> list[str]:
    """What of owners and modes is kept: of images and uploads nothing, they are their owner's alone."""
    return (
        ["--no-same-owner", "--no-same-permissions"]
        if rules in (IMAGES, UPLOAD)
        else ["--numeric-owner", "-p"]
    )

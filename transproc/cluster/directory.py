# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One job's directory on one node: whose it is, what is in it, and who works on it.

    /var/lib/transproc/jobs/NAME/
        id            the job's id: a directory of another job is never touched
        name          the job's, if it is not that of the directory
        bin/PROG      the binary of the node's ISA; the same absolute path on every node
        data/         moves with the process, at the sizes of the dump
            work/     the program's working directory
            stdin, stdout, stderr   of a job with a terminal, stdout holds all that is printed there
        exit          written by the supervisor when the process ends
        guard         what the process was before a dump, until it goes on (runtime/tool/mend.h)
        images/       dump/ and image/, during a migration

A node needs a POSIX shell, tar and criu; the pause tool is put there on first use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from transproc.cluster import owner, scripts
from transproc.cluster.archive import Given
from transproc.cluster.job import Job, check_name
from transproc.cluster.node import DATA, Node, Result
from transproc.cluster.placed import COPY_SECONDS, PlacedFiles
from transproc.errors import TransprocError
from transproc.process.runner import understood
from transproc.process.tool import Tool

PROGRAM_MODE = "u=rwx,go=rx"
_DIGEST = re.compile(r"[0-9a-f]{64}|")
DIGESTED = 1 << 30
"""Bytes of a file beyond a job's directory, at most, of which a digest is taken: two seconds, on a fast processor."""
QUIET_SECONDS = 60.0
"""What a node is given to come to an end with a step that nobody waits for any more: criu above all, which must not be ended
while code of its own is in the program."""
LOOK_SECONDS = 60.0
"""For a look at all processes of a node that has much else to do."""
_ALIVE, _ANOTHERS, _LIVING = 3, 4, 5
"""Status of `scripts.CLAIM` for a directory whose program runs, for that of an ended job of another name, and for that of another
job that has not ended; of the latter two it prints the name."""


class JobDirectory:
    """A job's directory on a node. Each method raises `NodeError` if the node does not answer."""

    def __init__(self, node: Node, job: Job) -> None:
        self.node = node
        self.job = job
        self.directory = str(DATA / "jobs" / (job.directory or job.name))
        self.data = f"{self.directory}/data"
        self.images = f"{self.directory}/images"
        self.dump = f"{self.images}/dump"
        self.image = f"{self.images}/image"
        self.program = f"{self.directory}/bin/{job.program}"

    @cached_property
    def tool(self) -> Tool:
        """The pause tool, which came with the connection."""
        return Tool(self.node, self.node.tool)

    @cached_property
    def files(self) -> PlacedFiles:
        """The job's files here."""
        return PlacedFiles(self.node, self.job, self.tool, self.directory)

    def prepare(self, binary: Path) -> None:
        """A fresh directory with a binary in it. Raises `TransprocError` if a living job has one of that name."""
        self._expect_claimed(self._shell(scripts.CLAIM, *self._claim, *self._owner, check=False))
        self.node.put(binary, self.program, given=Given(mode=PROGRAM_MODE))

    def expect_free(self) -> None:
        """Raises `TransprocError` if the directory cannot become the job's."""
        self._expect_claimed(self._shell(scripts.CLAIMABLE, *self._claim, check=False))

    @property
    def _claim(self) -> tuple[str, str, str]:
        return self.directory, self.job.id, self.job.name

    def _expect_claimed(self, done: Result) -> None:
        if done.returncode == _ALIVE:
            raise TransprocError(f"node {self.node.name}: job {self.job.name} runs there already")
        if done.returncode in (_ANOTHERS, _LIVING):
            name = _named(done.stdout)
            whose = f"another job, {name}," if name else "another job,"
            if done.returncode == _ANOTHERS:
                raise TransprocError(
                    f"node {self.node.name}: {self.directory} has the files of {whose} which has ended",
                    hint=f"'transproc kill --remove {name or 'JOB'}' removes them; or choose another node",
                )
            raise TransprocError(
                f"node {self.node.name}: {self.directory} belongs to {whose} which has not ended",
                hint=f"'transproc recover {name or 'JOB'}', where it was started, removes it if it is a remainder; else give the"
                " job another name (--name)",
            )
        if done.returncode:
            raise self.node.failed(["sh", "-c", scripts.CLAIM], done)

    def give(self, path: Path, remote: str) -> None:
        """Puts a file or directory of the program's below `data`, as its user's."""
        given = Given(self.job.uid, self.job.gid, mode=None) if self.job.user else None
        self.node.put(path, f"{self.data}/{remote}", given=given)

    def remove(self) -> None:
        """Removes the directory, if it is ours."""
        self._shell(scripts.REMOVE, self.directory, self.job.id)

    def found(self) -> list[int]:
        """The processes that execute the job's binary, whatever the record says: of each tree the root."""
        lines = self._shell(scripts.FOUND, self.directory).stdout.splitlines()
        parents = {pid: parent for pid, _, parent in (line.partition(b" ") for line in lines)}
        with understood(f"node {self.node.name}"):
            return [int(pid) for pid, parent in parents.items() if parent not in parents]

    def become_quiet(self, seconds: float = QUIET_SECONDS) -> None:
        """Waits until nothing works on the job any more that a killed command has begun, and ends it after so many seconds.

        What it had asked for, and has not begun, never begins.
        """
        self._end_owned()
        words = ["sh", "-c", scripts.QUIET, "sh", self.directory, str(self.job.pid), str(round(seconds))]
        self.node.run(words, timeout=seconds + LOOK_SECONDS)

    def end_copying(self) -> None:
        """Nobody sends the program's memory ahead any more, for a command that is over or a connection that was lost."""
        self._end_owned()
        self._shell(scripts.END_COPYING, str(self.job.pid))

    def _end_owned(self) -> None:
        """Nobody on the node hears requests any more of commands that are over, nor of connections that were lost."""
        listed = self._shell(scripts.OWNERS, owner.host()).stdout.decode(errors="replace").split()
        if over := owner.over(listed):
            patterns = "\n".join(map(owner.pattern, over)).encode()
            self.node.run(["sh", "-c", scripts.END_OWNED], stdin=patterns)

    def make_images(self) -> None:
        """An empty directory for a dump."""
        self._shell(scripts.MAKE_IMAGES, self.directory)

    def forget_images(self) -> None:
        """Removes the images: they are memory of processes, and large."""
        self._shell('rm -rf "$1"', self.images)

    def drop_pages(self) -> None:
        """Removes the memory from a dump; what is left of that tells how it is to be undone."""
        self._shell('rm -f "$1"/pages-*.img || true', self.dump)

    def read(self, stream: str, offset: int = 0, most: int | None = None) -> bytes:
        """What `stdout` or `stderr` holds from a byte offset on, at most so many bytes."""
        path, piece = f"{self.data}/{stream}", "" if most is None else f" | head -c {most}"
        return self._shell(
            f'if [ -e "$1" ]; then tail -c "+$2" "$1"{piece}; fi', path, str(offset + 1)
        ).stdout

    def printed(self) -> int:
        """How many bytes `stdout` holds."""
        return self.sizes([f"{self.data}/stdout"])[0] or 0

    def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Bytes of each of these files; None for one that is not there."""
        words = self._shell(scripts.SIZES, *paths).stdout.split()
        with understood(f"node {self.node.name}"):
            sizes = [None if word == b"-" else int(word) for word in words]
            if len(sizes) != len(paths):
                raise ValueError(f"{len(sizes)} sizes of {len(paths)} files")
        return sizes

    def digests(self, paths: Sequence[str]) -> list[str]:
        """SHA-256 of each of these files, in hexadecimal; empty for one that is not there, no file, or larger than `DIGESTED`."""
        done = self._digest(paths)
        with understood(f"node {self.node.name}"):
            found = ["" if line == b"-" else line.decode() for line in done.splitlines()]
            if len(found) != len(paths) or not all(map(_DIGEST.fullmatch, found)):
                raise ValueError(f"{len(found)} digests of {len(paths)} files")
        return found

    def _digest(self, paths: Sequence[str]) -> bytes:
        words = ["sh", "-c", scripts.DIGESTS, "sh", str(DIGESTED), *paths]
        return self.node.run(words, timeout=COPY_SECONDS).stdout if paths else b""

    def stamps(self, paths: Sequence[str]) -> list[bytes]:
        """Something of each of these files that is another when the file was changed."""
        return self._shell(scripts.STAMPS, *paths).stdout.splitlines() if paths else []

    @property
    def _owner(self) -> tuple[str, str]:
        return (str(self.job.uid), str(self.job.gid)) if self.job.user else ("", "")

    def _shell(self, script: str, *words: str, check: bool = True) -> Result:
        return self.node.run(["sh", "-c", script, "sh", *words], check=check)


def _named(text: bytes) -> str:
    """The name of a job that a node has told; empty if it is none that a job can have."""
    name = text.decode(errors="replace").strip()
    try:
        check_name(name)
    except TransprocError:
        return ""
    return name

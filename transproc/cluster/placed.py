# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job's files on one node, which lie in its directory there: what they need, copies and archives of them, and what has changed.

How they come from one node to another: `files.py`; into a checkpoint and out of one: `operations/taking.py`, `restart.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import IO

from transproc.cluster import scripts
from transproc.cluster.archive import pack_script, unpack_script
from transproc.cluster.job import Job
from transproc.cluster.node import Node, Result
from transproc.process.answers import Difference, difference
from transproc.process.runner import understood
from transproc.process.tool import Tool

COPY_SECONDS = 3600.0
"""For a copy of a job's files on its node, while it stands still: a disk that writes 100 MB/s has copied 360 GB then."""
INVENTORY = "there"
"""Of a copy of the job's files on another node, beside the images."""
ARCHIVE = "files.tar"
"""The job's files, beside the images."""


class PlacedFiles:
    """Those of a job on a node. Each method raises `NodeError` if the node does not answer."""

    def __init__(self, node: Node, job: Job, tool: Tool, directory: str) -> None:
        """`directory`: the job's; see `place.py`."""
        self._node = node
        self._job = job
        self._tool = tool
        self._directory = directory
        self.data = f"{directory}/data"
        self._images = f"{directory}/images"

    def used(self, exclude: Sequence[str] = ()) -> int:
        """Bytes of disk that the job's files need, but for those that match these patterns, as in `data/work/*`."""
        lines = self._shell(scripts.USED, self._directory, *exclude).stdout.splitlines()
        with understood(f"node {self._node.name}"):
            whole, *left_out = (int(line.split()[0]) for line in lines)
        return max(0, whole - sum(left_out)) * 1024

    def can_clone(self) -> bool:
        """Whether files are copied there without copying their contents. `make_images` comes first."""
        return self._shell(scripts.CAN_CLONE, self._directory, check=False).returncode == 0

    def clone(self) -> None:
        """A copy of the job's files, as they are now, beside the images; nothing is left out of it."""
        self._node.run(
            ["cp", "-a", "--reflink=always", self.data, f"{self._images}/data"], timeout=COPY_SECONDS
        )

    def archive(self, exclude: Sequence[str]) -> None:
        """An archive of the job's files, as they are now, beside the images."""
        script = f'{self._packing(self.data, exclude)} >"$1"'
        self._node.run(
            ["sh", "-c", f"umask 077; {script}", "sh", f"{self._images}/{ARCHIVE}"], timeout=COPY_SECONDS
        )

    def inventory(self) -> bytes:
        """What is in the job's files here, contents included, as `changes` takes it."""
        return self._node.run(self._tool.inventory(self.data), timeout=COPY_SECONDS).stdout

    def keep_inventory(self, inventory: bytes) -> None:
        """That of a copy of the job's files on another node. `make_images` comes first."""
        self._node.put_bytes(inventory, f"{self._images}/{INVENTORY}", mode=0o600)

    def changes(self, *, patches: bool) -> Difference:
        """Finds what is different now in the job's files from the copy of which the inventory is; the list `changed` of it is
        beside that, and with `patches` one of large files that are different in places, `patched`.
        """
        patched = self.patched if patches else None
        argv = self._tool.changes(self.data, f"{self._images}/{INVENTORY}", self.changed, patched)
        done = self._node.run(argv, timeout=COPY_SECONDS)
        with understood(f"node {self._node.name}"):
            return difference(done.stdout)

    @property
    def changed(self) -> str:
        """The list of what `changes` has found."""
        return f"{self._images}/changed"

    @property
    def patched(self) -> str:
        """The list of large files that `changes` has found, where they are different."""
        return f"{self._images}/patched"

    def remove(self, paths: bytes) -> None:
        """Removes some of the job's files, and nothing beyond them, whatever the paths are."""
        if paths:
            self._node.run(self._tool.remove(self.data), stdin=paths, timeout=COPY_SECONDS)

    def forget(self) -> None:
        """Removes all of the job's files."""
        self._shell('rm -rf "$1"', self.data)

    def take_kept(self) -> bool:
        """Makes the copy that an earlier stay here has left the job's files; false if there is none."""
        words = self._directory, self._job.id, self._job.user
        return self._shell(scripts.TAKE_KEPT, *words, check=False).returncode == 0

    def forget_kept(self) -> None:
        """Removes what an earlier stay here has left."""
        self._shell(scripts.FORGET_KEPT, self._directory, self._job.id)

    def send_archive(self, sink: IO[bytes]) -> None:
        """Writes what `archive` has made to `sink`."""
        self._node.pipe(["cat", f"{self._images}/{ARCHIVE}"], None, sink)

    def send(self, exclude: Sequence[str], sink: IO[bytes], *, cloned: bool = False) -> None:
        """Writes an archive of the job's files to `sink`, as they are now, or as they were when they were cloned."""
        top = f"{self._images}/data" if cloned else self.data
        self._node.pipe(["sh", "-c", self._packing(top, exclude)], None, sink)

    def take(self, archive: IO[bytes]) -> None:
        """The job's files, out of an archive that has been checked."""
        script = unpack_script(PurePosixPath(self._directory), parents=False)
        self._node.pipe(["sh", "-c", script], archive, None)

    def _packing(self, top: str, exclude: Sequence[str]) -> str:
        return pack_script(PurePosixPath(top), gnu=self._node.gnu_tar, exclude=exclude)

    def _shell(self, script: str, *words: str, check: bool = True) -> Result:
        return self._node.run(["sh", "-c", script, "sh", *words], check=check)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sources that are in no archive of Debian's: one commit of a git repository.

A commit's name is a digest of every file in it, which git checks when it fetches: whoever serves it, and over whatever way,
it is that source or an error.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from transproc import log
from transproc.errors import CommandError, TransprocError
from transproc.run import run
from transproc.toolchain.debian import downloads, publish

_COMMIT = re.compile(r"[0-9a-f]{40}")
_OF_THE_CALLER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
"""Environment variables that would have git work on the repository whose hook has called us."""


@dataclass(frozen=True)
class Commit:
    """`path`: of its tree only this directory."""

    url: str
    name: str
    path: str = ""

    @classmethod
    def parse(cls, table: Mapping[str, str]) -> Commit:
        """Of `git`, `commit` and `path`, as a recipe has them. Raises `TransprocError`."""
        url, name, path = table["git"], table["commit"], table.get("path", "")
        if not _COMMIT.fullmatch(name):
            raise TransprocError(f"commit {name!r}: expected 40 hex digits, not a branch or a tag")
        if not url.startswith("https://"):
            raise TransprocError(f"git {url!r}: expected https://…")
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise TransprocError(f"path {path!r}: expected a directory of the repository")
        return cls(url, name, path)

    def directory(self, place: str | None = None) -> Path:
        """Its files, unpacked; fetched if they are not there yet, from `place` if its own cannot be reached.

        `place`: another repository that has the commit, a clone on this machine for example. Raises `TransprocError`.
        """
        words = [
            PurePosixPath(self.url).name.removesuffix(".git"),
            self.name[:12],
            *PurePosixPath(self.path).parts,
        ]
        target = downloads() / "-".join(words)
        if not target.is_dir():
            with (
                log.step(f"fetch {words[0]}"),
                tempfile.TemporaryDirectory(dir=downloads(), prefix=f".{target.name}-") as work,
            ):
                place = place or self.url
                self._fetch(str(Path(place).resolve()) if Path(place).exists() else place, Path(work))
                shutil.rmtree(Path(work) / ".git")
                publish(Path(work) / self.path, target)
        return target

    def _fetch(self, place: str, work: Path) -> None:
        # Of a directory's commit the other files are not fetched, where the server can do that.
        part = ["--filter=blob:none"] if self.path else []
        try:
            _git(work, "init", "--quiet", "--template=")
            _git(work, "remote", "add", "--", "origin", place)
            _git(work, "fetch", "--quiet", "--depth=1", "--no-tags", *part, "origin", self.name)
            _git(work, "-c", "core.autocrlf=false", "checkout", "--quiet", self.name, "--", self.path or ".")
        except CommandError as error:
            if error.status == 127:
                raise TransprocError("git: not found", hint="apt-get install git") from error
            raise TransprocError(
                f"{place}: commit {self.name} cannot be had: {error.stderr.strip()}",
                hint="'--source REPOSITORY' names another one that has it: a clone, by its directory or address",
            ) from error


def _git(work: Path, *words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_THE_CALLER}
    run(["git", *words], cwd=work, env={**environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})

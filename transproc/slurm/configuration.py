# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the administrator of a cluster says once, in `/etc/transproc/slurm.toml` on each compute node:

    state = "/shared/transproc"     # a directory that is the same on all nodes, and that root may write there
    criu = ["criu"]                 # a command line that runs it
    home = "/var/cache/transproc"   # TRANSPROC_HOME of root's half: programs that were compiled for nodes
    helper = ["sudo", "-n", "/usr/bin/transproc", "slurm", "helper"]

`TRANSPROC_SLURM` names another file, as long as it does not tell root what to do for somebody else (`read`).
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transproc.errors import FormatError, TransprocError

USUAL = Path("/etc/transproc/slurm.toml")
_WORDS = ("criu", "helper")
_PATHS = ("state", "home")


@dataclass(frozen=True)
class Configuration:
    """`state`: where checkpoints are, on a file system that all nodes share; the rest: see the module."""

    state: Path
    criu: tuple[str, ...] = ("criu",)
    home: Path | None = None
    helper: tuple[str, ...] = ()

    def helper_command(self) -> list[str]:
        """The command line of root's half, by default by sudo for whoever is not root."""
        if self.helper:
            return list(self.helper)
        own = shutil.which("transproc") or str(Path(sys.argv[0]).absolute())
        return [*([] if os.geteuid() == 0 else ["sudo", "-n"]), own, "slurm", "helper"]


def read(path: Path | None = None) -> Configuration:
    """The configuration; root believes only what nobody but root can have written. Raises `TransprocError`."""
    place = path or Path(os.environ.get("TRANSPROC_SLURM") or USUAL)
    try:
        with place.open("rb") as file:
            found = os.fstat(file.fileno())
            text = file.read()
    except OSError as error:
        raise TransprocError(
            f"{place}: {error.strerror}",
            hint="on each compute node it names the directory where jobs leave checkpoints: docs/slurm.md",
        ) from error
    if os.geteuid() == 0 and (found.st_uid != 0 or stat.S_IMODE(found.st_mode) & 0o022):
        raise TransprocError(
            f"{place}: others than root can write it", hint=f"chown root {place}; chmod 644 {place}"
        )
    return _parse(text, place)


def _parse(text: bytes, path: Path) -> Configuration:
    try:
        data = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not valid TOML: {error}", path=path) from error
    known: dict[str, Any] = {}
    for key, value in data.items():
        if key in _PATHS and isinstance(value, str) and value.startswith("/"):
            known[key] = Path(value)
        elif (
            key in _WORDS
            and isinstance(value, list)
            and value
            and all(isinstance(word, str) for word in value)
        ):
            known[key] = tuple(value)
        else:
            expected = (
                "an absolute path" if key in _PATHS else "a list of words" if key in _WORDS else "no such key"
            )
            raise FormatError(f"{key}: found {value!r}, expected {expected}", path=path)
    if "state" not in known:
        raise FormatError("state: missing, expected a directory that all nodes share", path=path)
    return Configuration(**known)

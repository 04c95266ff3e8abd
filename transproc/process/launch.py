# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the pause tool is told about a program, as options of its command line: how it is started, and what it stands in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Files:
    """A directory whose files move, and a list of the device and inode numbers that programs see there."""

    directory: str
    listing: str
    attributes: str = ""
    """A file for what criu does not carry over of processes and sockets (runtime/tool/attributes.h)."""
    guard: str = ""
    """A file that says, from before a dump until the program goes on, what its threads were: with it a program is put in order
    in which a killed criu has left code of its own. Empty: none is written."""

    def words(self) -> list[str]:
        """As command line options of the tool."""
        guard = ["--guard", self.guard] if self.guard else []
        attributes = ["--attributes", self.attributes] if self.attributes else []
        return ["--dir", self.directory, "--list", self.listing, *attributes, *guard]


@dataclass(frozen=True)
class Terminal:
    """The terminal of a program, whose controlling end its supervisor holds.

    `log`: the file of what is printed there; `key`: a file that goes with an image, which says what the terminal is in it.
    """

    log: str
    key: str = ""

    def words(self) -> list[str]:
        """As command line options of the tool."""
        return ["--terminal", self.log, *(["--key", self.key] if self.key else [])]


@dataclass(frozen=True)
class Window:
    """The size of a terminal, in characters."""

    rows: int = 24
    columns: int = 80

    def words(self) -> list[str]:
        """As command line options of the tool."""
        return ["--rows", str(self.rows), "--columns", str(self.columns)]


@dataclass(frozen=True)
class User:
    """Whom a program runs as, in numbers."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def words(self) -> list[str]:
        """As command line options of the tool."""
        groups = ["--groups", ",".join(map(str, self.groups))] if self.groups else []
        return ["--uid", str(self.uid), "--gid", str(self.gid), *groups]


@dataclass(frozen=True)
class Launch:
    """A program to be started, in a new session, with its three standard streams and nothing else open.

    `state`: a directory where the supervisor writes `exit` ("status N" or "signal N") when the program ends.
    `streams`: files for stdin, stdout, stderr (the latter two are appended to; default /dev/null); instead of them a `terminal`,
    which gets the size `window`. The environment is exactly `env`.
    """

    argv: Sequence[str]
    state: str
    directory: str | None = None
    streams: Mapping[str, str] = field(default_factory=dict)
    pidfile: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    terminal: Terminal | None = None
    window: Window = Window()
    user: User | None = None
    """None: as the tool itself."""
    network: str | None = None
    """Its own (runtime/tool/network.h), or None: the node's."""

    def words(self) -> list[str]:
        """As command line options of the tool."""
        words = ["--state", self.state]
        words += [] if self.terminal is None else [*self.terminal.words(), *self.window.words()]
        words += [] if self.directory is None else ["--dir", self.directory]
        words += [word for name, path in self.streams.items() for word in (f"--{name}", path)]
        words += [] if self.user is None else self.user.words()
        words += network_words(self.network)
        words += [] if self.pidfile is None else ["--pidfile", self.pidfile]
        words += [word for name, value in self.env.items() for word in ("--env", f"{name}={value}")]
        return [*words, "--", *self.argv]


def words_of(terminal: Terminal | None) -> list[str]:
    """As options; none if there is no terminal."""
    return [] if terminal is None else terminal.words()


def network_words(network: str | None) -> list[str]:
    """As options; none if it has no network of its own."""
    return [] if network is None else ["--network", network]

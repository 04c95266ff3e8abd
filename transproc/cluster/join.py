# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files from one node to another in one stream: checked on its way through the host, which may keep a copy."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from platform import machine
from typing import IO, TYPE_CHECKING

from transproc.cluster import archive
from transproc.cluster.channel import CHUNK, STALL_SECONDS, Channel, readable, write
from transproc.cluster.members import IMAGES, Checker, Rules
from transproc.cluster.session import USUAL_SECONDS, Result
from transproc.errors import NodeError, UnsupportedError
from transproc.process.build import build
from transproc.run import spawn

if TYPE_CHECKING:
    from transproc.cluster.base import Node

TELL_SECONDS = 0.2
TOO_LARGE = 3
"""Status of a shell that has found more than is wanted; tar has none above 2."""
PIPE = 1 << 20
"""Bytes that a pipe between us and the programs may hold: the usual limit, /proc/sys/fs/pipe-max-size."""


def join(
    source: Node,
    path: str,
    target: Node,
    rules: Rules,
    *,
    directory: str,
    keep: Path | None = None,
    listed: str | None = None,
    changing: bool = False,
    large: bool = False,
    told: Callable[[int], None] | None = None,
) -> int:
    """Copies a file or directory to the same name in a directory of the target, which is made when missing, but nothing above it.

    `keep`: it becomes this path of the host as well. `listed`: a file on the source with the only members that are sent
    (`archive.pack_script`). `changing`: the files may change meanwhile. `large`: it may be packed on its way. `told` is called
    now and then with the bytes that have passed, and may raise, which ends it all. Returns the bytes that passed. Raises
    FormatError if the source sends what the `rules` do not allow (then some of what came before it may have arrived),
    CommandError if a tar fails, NodeError if a node does not answer or nothing moves.
    """
    gnu = source.gnu_tar and target.gnu_tar
    tool = source.tool if rules is IMAGES else None
    script = archive.pack_script(PurePosixPath(path), gnu=gnu, tool=tool, listed=listed, changing=changing)
    packing = ["sh", "-c", script]
    unpacking = ["sh", "-c", archive.unpack_script(PurePosixPath(directory), rules=rules, parents=False)]
    checker = Checker(rules, top=PurePosixPath(path).name)
    with ExitStack() as stack:
        kept = [] if keep is None else [stack.enter_context(archive.extract(keep, rules)).fileno()]
        return connect(
            source, packing, target, unpacking, checker=checker, sinks=kept, large=large, told=told
        )


def carry(source: Node, path: str, target: Node, rules: Rules, *, directory: str, most: int) -> int:
    """As `join`, in one piece, for which no channel has to be opened; 0, and nothing is done, if it takes more than `most` bytes
    of disk, or one of the nodes has a small tar, which fills holes.
    """
    if not (source.gnu_tar and target.gnu_tar):
        return 0
    size = f'[ "$(du -sk {shlex.quote(path)} | cut -f 1)" -le {most >> 10} ] || exit {TOO_LARGE}'
    packing = ["sh", "-c", f"{size}; {archive.pack_script(PurePosixPath(path), gnu=True)}"]
    done = source.run(packing, check=False)
    if done.returncode == TOO_LARGE:
        return 0
    _expect(source, packing, done)
    checker = Checker(rules, top=PurePosixPath(path).name)
    checker.feed(done.stdout)
    checker.finish()
    script = archive.unpack_script(PurePosixPath(directory), rules=rules, parents=False)
    target.run(["sh", "-c", script], stdin=done.stdout)
    return len(done.stdout)


def connect(
    source: Node,
    giving: list[str],
    target: Node,
    taking: list[str],
    *,
    checker: Checker | None = None,
    sinks: Sequence[int] = (),
    large: bool = False,
    told: Callable[[int], None] | None = None,
) -> int:
    """Runs a program on one node with what another one prints on the other; returns the bytes that passed.

    `checker`: of an archive; `sinks`: more that get it; the rest, and what is raised: as `join` has it.
    """
    tool = _own_tool() if large and source.packs(target) else None
    if tool is not None:
        giving, taking = source.packing(giving), target.unpacking(taking)
    with ExitStack() as stack:
        outlet = stack.enter_context(_channel(source))
        inlet = stack.enter_context(_channel(target))
        outlet.start(giving)
        inlet.start(taking)
        given, taken = outlet.connection.stdout, inlet.connection.stdin
        for stream in (given, taken):
            _widen(stream.fileno())
        if tool is not None and (checker is not None or sinks):  # else it passes as it is
            given = stack.enter_context(_unpacked(tool, given))
            taken = stack.enter_context(_packed(tool, taken))
        for sink in sinks:
            _widen(sink)
        count, listens = _pump(source.name, given.fileno(), [taken.fileno(), *sinks], checker, told)
        if listens:
            _expect(source, giving, outlet.finish(giving, USUAL_SECONDS))
            if checker is not None:
                checker.finish()
        for stream in (taken, inlet.connection.stdin):
            with suppress(OSError):  # nobody listens any more: how it ended says why
                stream.close()
        _expect(target, taking, inlet.finish(taking, USUAL_SECONDS))
    return count


def _own_tool() -> Path | None:
    """For this machine, unless it is of an ISA that no node has."""
    with suppress(UnsupportedError):
        return build(machine())
    return None


@contextmanager
def _unpacked(tool: Path, packed: IO[bytes]) -> Iterator[IO[bytes]]:
    """What a node has packed, as it was."""
    with spawn([tool, "unpack"], stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        _widen(process.stdout.fileno())
        with process.stdout as stream:
            yield stream


@contextmanager
def _packed(tool: Path, sink: IO[bytes]) -> Iterator[IO[bytes]]:
    """A stream of which a node gets what becomes of it; it ends with our own end of that."""
    with spawn([tool, "pack"], stdin=subprocess.PIPE, stdout=sink, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        _widen(process.stdin.fileno())
        with suppress(BrokenPipeError), process.stdin as stream:
            yield stream


@contextmanager
def _channel(node: Node) -> Iterator[Channel]:
    channel = node.channel()
    try:
        yield channel
    finally:
        channel.close()


def _widen(pipe: int) -> None:
    """Fewer turns between the programs at its ends; root may have so much whatever the user's other pipes hold (pipe(7))."""
    with suppress(PermissionError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)


def _pump(
    name: str,
    source: int,
    sinks: Sequence[int],
    checker: Checker | None,
    told: Callable[[int], None] | None,
) -> tuple[int, bool]:
    """Copies what comes of a node to all sinks; returns how much, and False if one of them has ended before."""
    count, last = 0, time.monotonic()
    while True:
        if not readable(source, STALL_SECONDS):
            raise NodeError(name, f"a stream of files stood still for {STALL_SECONDS:g} s")
        data = os.read(source, CHUNK)
        if not data:
            return count, True
        if checker is not None:
            checker.feed(data)
        count += len(data)
        if told is not None and time.monotonic() - last >= TELL_SECONDS:
            last = time.monotonic()
            told(count)
        if any(write(sink, data) < 0 for sink in sinks):
            return count, False


def _expect(node: Node, argv: list[str], done: Result) -> None:
    if done.returncode:
        raise node.failed(argv, done)

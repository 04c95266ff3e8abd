# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whose a connection to a node is: a word in the command line of all that it has started there.

A request that is on its way when its command is killed, or its connection lost, may arrive at any time later: it is held up in a
network, in ssh, or in the node's queues. So before what such a command has left is settled, those who would hear it on the node
are ended, for good. What they have begun by then is seen in the node's processes.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_IDS = Path("/proc/self/ns/pid")
_numbers = itertools.count(1)
_open: set[str] = set()


@cache
def host() -> str:
    """How the words of this host's processes begin: as long as it is up, and within one space of process ids."""
    who = f"{_BOOT_ID.read_text().strip()} {_PROCESS_IDS.readlink()}"
    return f"transproc-{sha256(who.encode()).hexdigest()[:16]}."


def new() -> str:
    """The word of a connection that this process makes: process id, its start in clock ticks, a number. It is open then."""
    pid = os.getpid()
    word = f"{host()}{pid}.{_started(pid)}.{next(_numbers)}."
    _open.add(word)
    return word


def close(word: str) -> None:
    """Nobody of this process uses that connection any more."""
    _open.discard(word)


def over(words: Iterable[str]) -> list[str]:
    """Those whose connection, or whose process, is no more; words of other hosts, and what is no word, are not among them."""
    return [word for word in words if _is_over(word)]


def pattern(word: str) -> str:
    """A basic regular expression that matches it, but not itself."""
    return f"{word[:-1]}[.]"


def _is_over(word: str) -> bool:
    numbers = word.removeprefix(host()).split(".")
    if not word.startswith(host()) or len(numbers) != 4 or not all(map(str.isdecimal, numbers[:3])):
        return False
    pid, started = map(int, numbers[:2])
    if pid == os.getpid():
        return word not in _open
    return _started(pid) != started


def _started(pid: int) -> int | None:
    """None for a process that is not there, or has ended (proc_pid_stat(5))."""
    try:
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(") ")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except OSError:
        return None

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processes of native nodes, as this machine sees them: what they are is told by their command lines."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from tests.native.nodes import NativeNodes


def in_node(machines: NativeNodes, node: str, wanted: Callable[[list[str]], bool]) -> list[int]:
    """Processes of a node, by their command lines, as this machine numbers them."""
    space = _space(children(machines.machines[node].process.pid)[0])
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if wanted(words) and _space(int(path.name)) == space:
                found.append(int(path.name))
    return found


def serves_connection(words: list[str]) -> bool:
    """OpenSSH's server of one connection of root's; from 9.8 on it is a program of its own."""
    return re.match("sshd(-session)?: root@notty", words[0]) is not None


def tools(machines: NativeNodes, node: str, *commands: str) -> list[int]:
    """Processes of the pause tool's with such a command, parents first."""
    found = in_node(
        machines,
        node,
        lambda words: "transproc-stop" in words[0] and words[1:2] != [] and words[1] in commands,
    )
    return sorted(found, key=lambda pid: any(pid in children(other) for other in found))


def borrowers(machines: NativeNodes, node: str) -> list[int]:
    """Who watches, and who works, for a program whose memory comes there."""
    return tools(machines, node, "borrow")


def first_of(pid: int) -> int:
    """What criu restores is criu for a while, and may be seen when criu itself was not executed yet: that is its parent then."""
    with contextlib.suppress(OSError, IndexError):
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        words = words_of(parent).split(" ")
        if is_criu(words) and not is_tool(words):
            return first_of(parent)
    return pid


def words_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    return "gone"


def is_criu(words: list[str]) -> bool:
    return any(word.endswith("/criu") for word in words) and bool({"dump", "restore"} & set(words))


def is_tool(words: list[str]) -> bool:
    return "transproc-stop" in words[0] and len(words) > 1 and words[1] not in ("serve", "channel")


def supervises(path: Path) -> bool:
    """The pause tool stays as a supervisor: of the standard streams nothing is left."""
    try:
        words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
        return is_tool(words) and str((path / "fd/1").readlink()) == "/dev/null"
    except OSError:
        return True  # gone meanwhile


def _space(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/pid").readlink())


def children(pid: int) -> list[int]:
    """Of a process; of one that has ended none."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def kill(pid: int) -> None:
    """One that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

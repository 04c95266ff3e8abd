# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A machine of the lab that was started: what is recorded of it, whether it lives and answers, and its end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transproc.errors import LabError
from transproc.lab import rootfs


class MachineLostError(LabError):
    """A machine that was up is not any more, and nobody stopped it."""


@dataclass(frozen=True)
class Machine:
    """A started machine, as its state file says. `start` is field 22 of /proc/PID/stat: a pid alone may be used anew."""

    name: str
    isa: str
    pid: int
    start: int
    port: int
    kvm: bool
    memory_mb: int
    seconds: float = 0.0
    """from start to readiness"""
    profile: str = ""
    """what it has beyond the usual"""
    suite: str = rootfs.SUITE
    """the release of Debian that it is of"""

    @property
    def alive(self) -> bool:
        """Whether the process that was started for it still runs."""
        return start_time(self.pid) == self.start


def start_time(pid: int) -> int:
    """Start of a process in clock ticks after boot; 0 if it is gone or a zombie (proc(5), /proc/pid/stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of this host that nobody uses."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ssh_answers(port: int, timeout: float) -> bool:
    """Whether an SSH server greets (RFC 4253, 4.2); QEMU itself accepts connections long before."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def stop(machine: Machine) -> bool:
    """Ends a machine's emulator, which may be our own child and then has to be reaped."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if machine.alive:
            os.kill(machine.pid, number)
            if _until(lambda: not machine.alive, 3.0):
                break
    return not machine.alive

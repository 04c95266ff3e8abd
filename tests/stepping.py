# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program that is killed at its n-th system call: what a random moment meets once in a thousand times, this meets each time."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import signal
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

TRACES = {"x86_64": 101, "aarch64": 117}.get(platform.machine(), 0)
"""The number of ptrace(2): when who traces a program makes its first one, it begins to touch that."""

FORKS = {"x86_64": 56, "aarch64": 220}.get(platform.machine(), 0)
"""That of clone(2)."""

KCMP_FILES = 2
"""linux/kcmp.h: their tables of descriptors."""
_KCMP = {"x86_64": 312, "aarch64": 272}.get(platform.machine(), 0)

# linux/ptrace.h
_SYSCALL, _SEIZE, _INTERRUPT, _CALL_INFO = 24, 0x4206, 0x4207, 0x420E
_SYSGOOD, _EXITKILL = 1, 1 << 20
_CALL_STOP = signal.SIGTRAP | 0x80
_WALL = 0x40000000
_INFO_SIZE, _INFO_CALL, _ENTRY = 88, 24, 1
_SECONDS = 10.0


@dataclass(frozen=True)
class Stop:
    """Of a program before a system call (`entry`) or behind it; `number` and `arguments` of the call."""

    entry: bool
    number: int
    arguments: tuple[int, ...]


def stepped(
    argv: Sequence[str], gate: Path, *, first: int, kill_at: int | None = None, delay: float = 0.0
) -> tuple[int, list[Stop]]:
    """Runs a command until it has ended, or come to its stop `kill_at` (from 0), where it is killed after `delay` seconds.

    `gate`: a named pipe that it reads to its end before it does anything that counts; `first`: number of the call from which on
    stops count. What it starts is not followed. Returns how it ended, as `waitstatus_to_exitcode`, and its stops.
    """
    streams = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=streams)
    return followed(lambda: pid, gate, first=first, kill_at=kill_at, delay=delay)


def followed(
    process: Callable[[], int], gate: Path, *, first: int, kill_at: int | None = None, delay: float = 0.0
) -> tuple[int, list[Stop]]:
    """As `stepped`, of a process that somebody else starts; `process` tells which one it is, once it reads from the pipe."""
    pid = _join(process, gate)
    stops: list[Stop] = []
    while True:
        _, status = os.waitpid(pid, _WALL)
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status), stops
        number = os.WSTOPSIG(status)
        if number == _CALL_STOP:
            stop = _look(pid, stops[-1] if stops else None)
            if stops or stop.number == first:
                stops.append(stop)
        if kill_at is not None and len(stops) > kill_at:
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
            continue
        signalled = number != _CALL_STOP and status >> 16 == 0
        _ptrace(_SYSCALL, pid, 0, number if signalled else 0)


def compare(one: int, other: int, what: int) -> int:
    """kcmp(2): 0 if two processes share it."""
    return int(_libc.syscall(_KCMP, one, other, what, 0, 0))


def reader(gate: Path) -> int:
    """Who was told to read from a pipe: criu, not the pause tool that has started it with the same words."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if str(gate) in words and "transproc-stop" not in words[0]:
                return int(path.parent.name)
    raise AssertionError("criu is gone")


def _join(process: Callable[[], int], gate: Path) -> int:
    """Begins to trace a process that reads from a pipe, and lets it go on."""
    until = time.monotonic() + _SECONDS
    while True:
        try:
            pipe = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:  # nobody reads yet
            assert error.errno == errno.ENXIO and time.monotonic() < until
            time.sleep(0.0002)
    pid = process()
    _ptrace(_SEIZE, pid, 0, _SYSGOOD | _EXITKILL)
    _ptrace(_INTERRUPT, pid)
    os.close(pipe)
    return pid


def _look(pid: int, last: Stop | None) -> Stop:
    info = ctypes.create_string_buffer(_INFO_SIZE)
    _ptrace(_CALL_INFO, pid, _INFO_SIZE, ctypes.addressof(info))
    if info.raw[0] == _ENTRY:
        number, *arguments = struct.unpack_from("<7Q", info.raw, _INFO_CALL)
        return Stop(True, number, tuple(arguments))
    return Stop(False, last.number if last else -1, last.arguments if last else ())


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    if _libc.ptrace(request, pid, address, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace {request:#x} of {pid}: {os.strerror(error)}")

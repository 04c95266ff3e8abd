# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job's script survives the signals that are meant for the program that it runs.

Slurm sends signals to the first process of a script, which is a shell as a rule, and dies of them: with it the whole job does. So
root's half traces the shell (ptrace(2), PTRACE_SEIZE, which stops nothing): a signal that comes to it is taken away, and the
user's half gets it instead. When root's half ends the shell is what it was.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from collections.abc import Collection
from pathlib import Path

from transproc.errors import TransprocError

# linux/ptrace.h, linux/wait.h
_CONT, _SEIZE, _LISTEN = 7, 0x4206, 0x4208
_EVENT_STOP = 128
_WALL = 0x40000000
_STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


def guard(pid: int, numbers: Collection[int], told: int, uid: int) -> None:
    """From now on a process of user `uid` does not get these signals, `told` does. Raises `TransprocError` if that cannot be."""
    try:
        owner = Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        owner = None
    if owner != uid:
        raise TransprocError(f"process {pid}: not a process of user {uid}")
    begun = threading.Event()
    problem: list[OSError] = []
    thread = threading.Thread(
        target=_trace, args=(pid, frozenset(numbers), told, begun, problem), name="guard", daemon=True
    )
    thread.start()
    begun.wait()
    if problem:
        raise TransprocError(f"process {pid} cannot be traced: {problem[0].strerror}")


def _trace(
    pid: int, numbers: frozenset[int], told: int, begun: threading.Event, problem: list[OSError]
) -> None:
    """One thread does it all: the kernel takes requests from the tracer alone."""
    try:
        _request(_SEIZE, pid, 0)
    except OSError as error:
        problem.append(error)
        return
    finally:
        begun.set()
    with contextlib.suppress(OSError):  # it is gone
        while True:
            _, status = os.waitpid(pid, _WALL)
            if not os.WIFSTOPPED(status):
                return
            number, event = os.WSTOPSIG(status), status >> 16
            if event == _EVENT_STOP:
                _request(_LISTEN if number in _STOPPING else _CONT, pid, 0)
            elif number in numbers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(told, number)
                _request(_CONT, pid, 0)
            else:
                _request(_CONT, pid, number)


def _request(request: int, pid: int, data: int) -> None:
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.restype = ctypes.c_long
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    if call(request, pid, None, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))

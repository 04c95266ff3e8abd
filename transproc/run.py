# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The only place that starts programs.

Argument lists, never a shell string; a failed program raises `CommandError` with a line that can be pasted. Child
processes do not outlive the context that started them.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from transproc.errors import CommandError


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """Runs a program to its end and captures its output; raises `CommandError` if it fails and `check` is set.

    What has not ended in time is killed, with the children that it has not put into sessions of their own.
    """
    words = [str(word) for word in argv]
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=timeout is not None,
        )
    except FileNotFoundError as error:
        raise CommandError(words, 127, str(error), hint="'transproc doctor' lists what is missing") from error
    with process:
        try:
            out, err = process.communicate(stdin, timeout)
        except BaseException as error:
            _end(process, group=timeout is not None)
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandError(words, 124, f"no end within {timeout} s") from error
            raise
    if check and process.returncode:
        raise CommandError(words, process.returncode, err.decode(errors="replace"))
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def _end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    if group:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def bounded(argv: Sequence[str | Path], *, most: int, timeout: float) -> subprocess.CompletedProcess[bytes]:
    """As `run`, for a program whose words are not trusted: it is ended if it says more than `most` bytes.

    Raises `CommandError` after so many seconds.
    """
    words = [str(word) for word in argv]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with spawn(words, stdout=out, stderr=err, grace=0.5) as process:
            limit_files(process.pid, most)
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired as error:
                raise CommandError(words, 124, f"no end within {timeout} s") from error
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, status, out.read(most), err.read(most))


def limit_files(pid: int, most: int) -> None:
    """A child, and what it starts, is ended by the kernel if it makes a file longer than so many bytes."""
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def output(argv: Sequence[str | Path], **options: Any) -> str:
    """The standard output of a program that must succeed."""
    return run(argv, **options).stdout.decode()


def replace(argv: Sequence[str | Path]) -> int:
    """Runs a program on our own terminal (for `lab shell`); returns its exit status."""
    return subprocess.call([str(word) for word in argv])


@contextmanager
def spawn(
    argv: Sequence[str | Path],
    *,
    stdout: IO[bytes] | int | None = None,
    stdin: IO[bytes] | int | None = subprocess.DEVNULL,
    stderr: IO[bytes] | int = subprocess.STDOUT,
    cwd: Path | None = None,
    grace: float = 2.0,
    umask: int = -1,
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that is ended with the context: asked to by SIGTERM, made to after `grace` seconds."""
    process = subprocess.Popen(
        [str(word) for word in argv], stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, umask=umask
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def begin(
    argv: Sequence[str | Path], *, stderr: IO[bytes], env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program between two pipes, which whoever calls ends; in a session of its own: Ctrl-C does not reach it."""
    words = [str(word) for word in argv]
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            env=env,
        )
    except FileNotFoundError as error:
        raise CommandError(words, 127, str(error), hint="'transproc doctor' lists what is missing") from error


def daemon(argv: Sequence[str | Path], *, log: Path) -> int:
    """Starts a program that outlives us (a virtual machine), in a session of its own; returns its pid."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process.returncode = 0  # Popen takes a child that is dropped while it runs for a mistake
    return process.pid

"""Machines behind SSH as nodes.

One connection for each node, made on first use and again if it was lost. Authentication by key only, and only with a server that
holds the host key of the configuration. A peer that does not answer keepalives is given up within seconds.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import shlex
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

import asyncssh

from transproc.cluster.base import Node, Result
from transproc.errors import NodeError

CONNECT_SECONDS = 10
KEEPALIVE_SECONDS = 2
KEEPALIVE_COUNT = 4
"""A dead peer is noticed after KEEPALIVE_SECONDS × KEEPALIVE_COUNT; an emulated one can be slow to answer."""
CHUNK = 1 << 18

T = TypeVar("T")


@dataclass(frozen=True)
class Address:
    """Where a node is and how it is known; `host_key` as in known_hosts: algorithm and base64."""

    host: str
    key: Path
    host_key: str
    port: int = 22
    user: str = "root"


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of all connections, in a thread of its own until the program ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="transproc-ssh", daemon=True)
    thread.start()

    async def cancel_all() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def end() -> None:
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(2)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    atexit.register(end)
    return loop


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine in the loop; an interrupt of ours (a key press) ends it there as well."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class SshNode(Node):
    """A machine behind SSH."""

    def __init__(self, name: str, address: Address) -> None:
        super().__init__(name)
        self.address = address
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting: asyncio.Lock | None = None

    def _execute(
        self,
        argv: Sequence[str],
        stdin: bytes | IO[bytes] | None,
        stdout: IO[bytes] | None,
        timeout: float | None,
    ) -> Result:
        try:
            return _wait(self._session(argv, stdin, stdout, timeout))
        except TimeoutError as error:
            raise NodeError(self.name, f"no end within {timeout} s: {shlex.join(argv)}") from error
        except (OSError, asyncssh.Error) as error:
            raise NodeError(self.name, f"connection lost: {_reason(error)}") from error

    def close(self) -> None:
        if self._connection is not None:
            _wait(self._disconnect())

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()

    async def _connect(self) -> asyncssh.SSHClientConnection:
        # Made here, not in __init__: locks belong to the loop; this code runs in its one thread.
        self._connecting = self._connecting or asyncio.Lock()
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._open()
            return self._connection

    async def _open(self) -> asyncssh.SSHClientConnection:
        where = self.address
        try:
            return await asyncssh.connect(
                where.host,
                where.port,
                username=where.user,
                client_keys=[str(where.key)],
                known_hosts=([asyncssh.import_public_key(where.host_key)], [], []),
                preferred_auth="publickey",
                agent_path=None,
                config=None,
                connect_timeout=CONNECT_SECONDS,
                login_timeout=CONNECT_SECONDS,
                keepalive_interval=KEEPALIVE_SECONDS,
                keepalive_count_max=KEEPALIVE_COUNT,
            )
        except (OSError, TimeoutError, asyncssh.Error, asyncssh.KeyImportError) as error:
            message = f"cannot connect to {where.user}@{where.host}:{where.port}: {_reason(error)}"
            raise NodeError(self.name, message, hint=_hint(error)) from error

    async def _session(
        self,
        argv: Sequence[str],
        stdin: bytes | IO[bytes] | None,
        stdout: IO[bytes] | None,
        timeout: float | None,
    ) -> Result:
        connection = await self._connect()
        async with asyncio.timeout(timeout):
            # exec: a shell in between would hide that the program was killed by a signal
            process = await connection.create_process(f"exec {shlex.join(argv)}", encoding=None)
            feeding = asyncio.create_task(_feed(process.stdin, stdin))
            try:
                output, errors = await asyncio.gather(_drain(process.stdout, stdout), process.stderr.read())
                await process.wait()
            except asyncio.CancelledError:
                process.terminate()
                raise
            finally:
                feeding.cancel()
                process.close()
        if process.returncode is None:
            raise asyncssh.ConnectionLost("no exit status was received")
        return Result(list(argv), process.returncode, output, errors)


async def _feed(sink: Any, data: bytes | IO[bytes] | None) -> None:
    """Sends bytes or a file's contents; a program that does not read to the end is no error of ours."""
    loop = asyncio.get_running_loop()
    try:
        if isinstance(data, bytes):
            sink.write(data)
        elif data is not None:
            while chunk := await loop.run_in_executor(None, data.read, CHUNK):
                sink.write(chunk)
                await sink.drain()
        sink.write_eof()
    except BrokenPipeError:
        pass


async def _drain(source: Any, target: IO[bytes] | None) -> bytes:
    """Collects a stream, or passes it on to a file; one that is not read to its end is somebody else's error."""
    if target is None:
        return bytes(await source.read())
    loop = asyncio.get_running_loop()
    write: Callable[[bytes], Any] = target.write
    while chunk := await source.read(CHUNK):
        try:
            await loop.run_in_executor(None, write, chunk)
        except BrokenPipeError:
            write = len  # nothing: the program shall still come to its end
    return b""


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _hint(error: Exception) -> str | None:
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return "the host key is not the configured one: if that is as it should be, correct host_key in nodes.toml"
    if isinstance(error, asyncssh.PermissionDenied):
        return "is the public key in the node's authorized_keys, and may this user log in?"
    return None

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the scripts that drive servers share: starting, migrating and reaching a server, in the lab or on this machine.

`drive.py` of cpp-httplib, memcached, nginx and redis import it. $NODES and $HOPS are what `transproc example` was told; with
`--stress` there is $ONTO_ITSELF, and the server is on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

ADDRESS = "10.77.0.5"
"""Of a server that its clients stay connected with, in the network of the lab's machines."""
LOCAL = "local"
"""This machine as a node. It is not in the network of the lab's machines."""
CALM_SECONDS = 5.0
"""Of load before the first migration, and after each."""
ONTO_ITSELF: dict[str, Any] = json.loads(os.environ.get("ONTO_ITSELF", "{}"))
"""How a server of this machine migrates onto itself: the ISA's name, words before its own, and where the report goes."""


def transproc(*words: str, must: bool = True) -> str:
    """Standard output of a command; ends this program if the command fails, unless it may."""
    done = subprocess.run(["transproc", "--quiet", *words], capture_output=True, text=True, check=False)
    if done.returncode and must:
        sys.exit(f"transproc {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def the_nodes(*more: str) -> list[str]:
    """Between which it moves, from the one where it starts; ends this program if they are not the lab's, or among `more`."""
    nodes = os.environ["NODES"].split(",")
    if not {*nodes} <= {"x86", "arm", *more}:
        sys.exit(f"{','.join(nodes)}: this needs the lab's machines, x86 and arm")
    return nodes


def shell(node: str, *words: str) -> None:
    """A command on one of the lab's machines, or on this one; ends this program if it fails."""
    if node != LOCAL:
        transproc("lab", "shell", node, *words)
    elif status := subprocess.run(words, check=False).returncode:
        sys.exit(f"{' '.join(words)}: status {status}")


class EndedError(ConnectionError):
    """The server has said that it ends the connection."""


class Connection:
    """A TCP connection from one of the lab's machines to a server, on the same machine unless it has an address of its own; every
    method raises `OSError` when it is lost. To a server of this machine: from here."""

    def __init__(self, node: str, port: int, host: str = "127.0.0.1") -> None:
        self._ends = _here(host, port) if ONTO_ITSELF else _from(node, host, port)

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        self._ends.to.write(data)
        self._ends.to.flush()

    def line(self) -> bytes:
        """The next line, without its end."""
        line = self._ends.back.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        return line[:-2]

    def read(self, size: int) -> bytes:
        """So many bytes."""
        data = self._ends.back.read(size)
        if len(data) != size:
            raise ConnectionError("the server closed the connection")
        return data

    def close(self) -> None:
        """Ends the connection, and waits for its program."""
        self._ends.close()


@dataclass
class Ends:
    """Of a connection: what is written, and read; `close` ends it."""

    to: BinaryIO
    back: BinaryIO
    close: Callable[[], None]


def _here(host: str, port: int) -> Ends:
    made = socket.create_connection((host, port), timeout=60)
    to, back = made.makefile("wb"), made.makefile("rb")

    def close() -> None:
        with contextlib.suppress(OSError):
            to.close()
        back.close()
        made.close()

    return Ends(to, back, close)


def _from(node: str, host: str, port: int) -> Ends:
    words = ["transproc", "lab", "shell", node, "busybox", "nc", host, str(port)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    to, back = process.stdin, process.stdout
    assert to is not None and back is not None

    def close() -> None:
        try:
            to.close()
            process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        back.close()

    return Ends(to, back, close)


class Server:
    """A job on one of the lab's machines, between which it migrates.

    `where` is a directory whose files it gets. `connected`: it has an address that moves with it.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, where: str | None = None, connected: bool = False
    ) -> None:
        self.nodes = the_nodes()
        self.job = f"{name}-{os.getpid()}"
        self.connected = connected
        self.host = ADDRESS if connected else "127.0.0.1"
        files = ["--files", where] if where else []
        address = ["--address", f"{ADDRESS}/24"] if connected else []
        transproc("lab", "up")
        transproc("run", "--node", self.nodes[0], "--name", self.job, *files, *address, "--", *command)

    def migrate(self) -> None:
        """To the other one."""
        close = [] if self.connected else ["--tcp-close"]
        transproc("migrate", self.job, "--to", self.nodes[1], *close, "--timeout", "30")
        self.nodes.reverse()

    def wait(self) -> None:
        """Returns when it has ended by itself; ends this program if its status is not 0."""
        transproc("wait", self.job)

    def log(self) -> str:
        """The end of what it has printed."""
        return transproc("logs", self.job, must=False)[-2000:]

    def end(self) -> None:
        """Nothing is left of it."""
        transproc("kill", "--remove", self.job, must=False)


class Itself(Server):
    """A server of this machine that migrates onto itself all the time: whatever its clients do meanwhile."""

    def __init__(
        self, name: str, command: Sequence[str], *, where: str | None = None, connected: bool = False
    ) -> None:
        del name, connected
        self.nodes = ["here"]
        self.connected = True  # nobody ends its connections
        self.host = "127.0.0.1"
        self._place = tempfile.mkdtemp()
        if where:
            shutil.copytree(where, self._place, dirs_exist_ok=True)
        self._log = Path(self._place, "log")
        program = f"{command[0]}.{ONTO_ITSELF['isa']}"
        words = [*ONTO_ITSELF["before"], program, ONTO_ITSELF["report"], program, *command[1:]]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                words, cwd=self._place, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )

    def migrate(self) -> None:
        """It does so by itself."""

    def wait(self) -> None:
        """As `Server` says."""
        if status := self._process.wait(60):
            sys.exit(f"the server ended with {status}")

    def log(self) -> str:
        """As `Server` says."""
        return self._log.read_text(errors="replace")[-2000:]

    def end(self) -> None:
        """As `Server` says, nor of its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._place, ignore_errors=True)  # a child may not be gone yet


def started(
    name: str, command: Sequence[str], *, where: str | None = None, connected: bool = False
) -> Server:
    """A server, in the lab or on this machine."""
    return (Itself if ONTO_ITSELF else Server)(name, command, where=where, connected=connected)


class Work(threading.Thread):
    """Steps one after the other until `finish`; the first wrong one ends it with a problem. `work` is the loop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.end = threading.Event()
        self.steps = self.reconnections = 0
        self.problem = ""

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.problem = f"step {self.steps + 1}: {type(error).__name__}: {error}"

    def finish(self) -> None:
        """Returns when the last step is done."""
        self.end.set()
        self.join()

    def work(self) -> None:
        """Until `end` is set."""
        raise NotImplementedError

    def expect_connected(self) -> None:
        """Ends this program if a connection was lost on the way."""
        if self.reconnections:
            sys.exit(f"{self.reconnections} connections were lost")

    def await_step(self) -> None:
        """Returns when another step is done; ends this program if that does not come."""
        before, until = self.steps, time.monotonic() + 60
        while self.is_alive() and self.steps == before and time.monotonic() < until:
            time.sleep(0.1)
        if self.steps == before:
            sys.exit(self.problem or "the server does not answer after a migration")

    def expect_good(self) -> None:
        """Ends the load, and this program if a step was wrong."""
        self.finish()
        if self.problem:
            sys.exit(self.problem)


class Load(Work):
    """Steps that may be done twice, each on the same connection if that lives."""

    def __init__(self, open_it: Callable[[], Connection], step: Callable[[Connection, int], None]) -> None:
        super().__init__()
        self._open_it, self._step = open_it, step
        self.longest = 0.0
        """Seconds that a step has taken at most."""

    def work(self) -> None:
        """As `Work` says."""
        connection = self._open_it()
        while not self.end.is_set():
            begin = time.monotonic()
            try:
                self._step(connection, self.steps + 1)
            except EndedError:
                connection.close()
                connection = self._open_it()
            except TimeoutError:  # it hangs
                raise
            except OSError:  # a migration has ended the connection: the step is tried again
                connection.close()
                time.sleep(0.1)
                connection = self._open_it()
                self.reconnections += 1
            else:
                self.steps += 1
            self.longest = max(self.longest, time.monotonic() - begin)
        connection.close()


def drive(
    name: str,
    command: Sequence[str],
    port: int,
    step: Callable[[Connection, int], None],
    where: str | None = None,
    *,
    connected: bool = False,
) -> None:
    """Starts a server, migrates it under load, and prints how that went; ends this program if anything is wrong.

    `where` is a directory whose files the server gets. `connected`: it has an address that moves with it, and a
    lost connection is wrong.
    """
    hops = int(os.environ["HOPS"])
    server = started(name, command, where=where, connected=connected)
    load = Load(lambda: reached(lambda: Connection(server.nodes[0], port, server.host)), step)
    try:
        load.start()
        for _ in range(hops):
            time.sleep(CALM_SECONDS)
            server.migrate()
            load.await_step()
        time.sleep(CALM_SECONDS)
        load.expect_good()
        if server.connected:
            load.expect_connected()
    except BaseException:
        print(server.log(), file=sys.stderr)
        raise
    finally:
        server.end()
    longest = f"{load.longest:.1f} s without an answer at most"
    moved = "migrations onto itself" if ONTO_ITSELF else f"{hops} migrations"
    print(f"{load.steps} requests, {moved}, {load.reconnections} reconnections, {longest}")


def reached(open_it: Callable[[], Connection]) -> Connection:
    """A connection with a server that has just been started."""
    until = time.monotonic() + 60
    while True:
        try:
            return open_it()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)

"""What the scripts that drive servers share: starting, migrating and reaching a server in the lab.

`drive.py` of memcached, nginx and redis import it. $NODES and $HOPS are what `transproc example` was told.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

ADDRESS = "10.77.0.5"
"""Of a server that its clients stay connected with, in the network of the lab's machines."""
CALM_SECONDS = 5.0
"""Of load before the first migration, and after each."""


def transproc(*words: str, must: bool = True) -> str:
    """Standard output of a command; ends this program if the command fails, unless it may."""
    done = subprocess.run(["transproc", "--quiet", *words], capture_output=True, text=True, check=False)
    if done.returncode and must:
        sys.exit(f"transproc {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def the_nodes() -> list[str]:
    """Between which it moves, from the one where it starts; ends this program if they are not the lab's."""
    nodes = os.environ["NODES"].split(",")
    if not {*nodes} <= {"x86", "arm"}:
        sys.exit(f"{','.join(nodes)}: this needs the lab's machines, x86 and arm")
    return nodes


class Connection:
    """A TCP connection from one of the lab's machines to a server, on the same machine unless it has an address of its own; every
    method raises `OSError` when it is lost."""

    def __init__(self, node: str, port: int, host: str = "127.0.0.1") -> None:
        words = ["transproc", "lab", "shell", node, "busybox", "nc", host, str(port)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        self._to.write(data)
        self._to.flush()

    def line(self) -> bytes:
        """The next line, without its end."""
        line = self._from.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        return line[:-2]

    def read(self, size: int) -> bytes:
        """So many bytes."""
        data = self._from.read(size)
        if len(data) != size:
            raise ConnectionError("the server closed the connection")
        return data

    def close(self) -> None:
        """Ends the connection, and waits for its program."""
        try:
            self._to.close()
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._from.close()


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
    nodes, hops = the_nodes(), int(os.environ["HOPS"])
    job = f"{name}-{os.getpid()}"
    files = ["--files", where] if where else []
    files += ["--address", f"{ADDRESS}/24"] if connected else []
    host, close = (ADDRESS, []) if connected else ("127.0.0.1", ["--tcp-close"])
    transproc("lab", "up")
    transproc("run", "--node", nodes[0], "--name", job, *files, "--", *command)
    load = Load(lambda: Connection(nodes[0], port, host), step)
    try:
        load.start()
        for _ in range(hops):
            time.sleep(CALM_SECONDS)
            transproc("migrate", job, "--to", nodes[1], *close, "--timeout", "30")
            nodes.reverse()
            load.await_step()
        time.sleep(CALM_SECONDS)
        load.expect_good()
        if connected:
            load.expect_connected()
    except SystemExit:
        print(transproc("logs", job, must=False)[-2000:], file=sys.stderr)
        raise
    finally:
        transproc("kill", "--remove", job, must=False)
    longest = f"{load.longest:.1f} s without an answer at most"
    print(f"{load.steps} requests, {hops} migrations, {load.reconnections} reconnections, {longest}")

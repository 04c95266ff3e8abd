# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A network for jobs that have addresses: a bridge for each native node, joined, and clients in a namespace of their own.

criu older than 4.2 cannot dump a TCP socket on Linux 6.16 or later: `criu` finds one that can, here or named by
`TRANSPROC_TEST_CRIU`, a command line.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from transproc.errors import TransprocError
from transproc.lab.rootfs import host_criu
from transproc.process.criu import parse_version
from transproc.run import output, run

ADDRESSES = ("10.77.0.5/24", "fd77::5/64")
HOSTS = ("10.77.0.5", "fd77::5")
STRICT_KERNEL, ABLE_CRIU = (6, 16), (4, 2)
SECONDS = 60.0
REMOVAL_SECONDS = 10.0


def criu() -> list[str] | None:
    """One that dumps TCP sockets on this kernel."""
    own = os.environ.get("TRANSPROC_TEST_CRIU")
    command = shlex.split(own) if own else host_criu()
    kernel = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    try:
        able = parse_version(output([*command, "--version"])) >= ABLE_CRIU
    except TransprocError:
        return None
    return command if able or kernel < STRICT_KERNEL else None


class Network:
    """Made and removed as a context manager; names are this process's."""

    def __init__(self) -> None:
        self._name = f"tp{os.getpid():x}"
        self.bridges = {"na": f"{self._name}a", "nb": f"{self._name}b"}

    def __enter__(self) -> Network:
        a, b = self.bridges.values()
        name = self._name
        try:
            for bridge in (a, b):
                run(["ip", "link", "add", bridge, "type", "bridge"])
                run(["ip", "link", "set", bridge, "up"])
            run(["ip", "link", "add", f"{name}x", "type", "veth", "peer", "name", f"{name}y"])
            run(["ip", "netns", "add", name])
            run(["ip", "link", "add", f"{name}c", "type", "veth", "peer", "name", "eth0", "netns", name])
            for end, bridge in ((f"{name}x", a), (f"{name}y", b), (f"{name}c", a)):
                run(["ip", "link", "set", end, "master", bridge, "up"])
            for device in ("lo", "eth0"):
                run(["ip", "-n", name, "link", "set", device, "up"])
            self.configure("10.77.0.9/24")
            self.configure("fd77::9/64")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        run(["ip", "netns", "delete", self._name], check=False)
        for device in (f"{self._name}{letter}" for letter in "cxab"):
            run(["ip", "link", "delete", device], check=False)

    def configure(self, address: str, verb: str = "add") -> None:
        """Gives the clients' machine an address, or takes it away."""
        words = ["ip", "-n", self._name, "address", verb, address, "dev", "eth0"]
        run([*words, *(["nodad"] if verb == "add" and ":" in address else [])])

    def join(self, joined: bool) -> None:
        """Connects the two bridges, or not."""
        run(["ip", "link", "set", f"{self._name}x", "up" if joined else "down"])

    def inside(self, argv: Sequence[str]) -> list[str]:
        """A command on the clients' machine."""
        return ["nsenter", f"--net=/run/netns/{self._name}", *argv]

    def expect_ports(self, count: int) -> None:
        """So many jobs are on the bridges; the kernel removes namespaces when it has time."""
        until = time.monotonic() + REMOVAL_SECONDS
        while len(self.ports()) != count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.ports()) == count, self.ports()

    def ports(self) -> list[str]:
        """Interfaces of jobs that are on the bridges."""
        found = []
        for bridge in self.bridges.values():
            found += [path.name for path in Path(f"/sys/class/net/{bridge}/brif").iterdir()]
        return [name for name in found if not name.startswith(self._name)]


class Clients:
    """`clients.py`, as a context manager whose end is theirs; raises AssertionError if one was not served as it should be."""

    def __init__(self, network: Network, hosts: Sequence[str] = HOSTS) -> None:
        self._process = subprocess.Popen(
            network.inside([sys.executable, "-m", "tests.native.clients", *hosts]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._counts: dict[str, int] = {}
        self._told = threading.Condition()
        self.silence = 0.0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Clients:
        self.expect_progress()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        assert self._process.stdin is not None and self._process.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        errors = self._process.stderr.read()
        self._process.stderr.close()
        status = self._process.wait(SECONDS)
        self._reader.join()
        assert kind is not None or status == 0, errors

    def expect_progress(self) -> None:
        """All of them get answers, from now on."""
        with self._told:
            before = dict(self._counts)

            def on() -> bool:
                counts = self._counts.items()
                steps = [
                    count > (0 if name.startswith("wait") else before.get(name, 0)) for name, count in counts
                ]
                return bool(steps) and all(steps)

            alive = self._told.wait_for(lambda: on() or not self._reader.is_alive(), SECONDS)
        assert alive and on(), f"no answers since {before}: {self._counts}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                found = json.loads(line)
                with self._told:
                    self.silence = found.pop("silence", self.silence)
                    self._counts |= found
                    self._told.notify_all()
        with self._told:
            self._told.notify_all()

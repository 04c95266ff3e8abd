# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller in a process of its own, as its users have it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.native.nodes import NativeNodes
from transproc.cluster.node import SshNode

COMMAND = Path(sys.executable).with_name("transproc")
SECONDS = 120.0


@dataclass
class Served:
    """A controller in a process of its own, and a user of it who has a home of his own."""

    home: Path
    environment: dict[str, str]
    nodes: dict[str, SshNode]
    process: subprocess.Popen[str] | None = None
    port: int = 0
    fingerprint: str = ""

    def start(self, *how: str) -> None:
        """Starts it, always at the same port; `how`: arguments of Python, else the plain command."""
        self.close()
        words = [sys.executable, *how] if how else [str(COMMAND)]
        words += ["serve", "--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=self.environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        url, fingerprint = line.split()
        self.port = int(url.rpartition(":")[2])
        if not (self.home / "contexts.json").exists():
            self.knows("c", "tester", "operate", url, fingerprint)

    def knows(self, context: str, who: str, role: str, url: str = "", fingerprint: str = "") -> None:
        """The user has a token of that name and role, in a context of its own."""
        known = json.loads((self.home / "contexts.json").read_text())["contexts"] if not url else {}
        token = self.here("token", "add", who, "--role", role)
        url = url or known["c"]["url"]
        words = ["context", "add", context, url]
        if fingerprint:
            self.fingerprint = fingerprint
        done = self._run(self.user, [*words, "--fingerprint", self.fingerprint], input=token)
        assert f"as {who} ({role})" in done.stdout, done.stderr

    def end(self, number: int = signal.SIGTERM) -> None:
        """Stops or kills it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(SECONDS)
        self.close()

    def close(self) -> None:
        """It has ended."""
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    @property
    def user(self) -> dict[str, str]:
        """Of somebody who has no nodes, only a controller."""
        kept = {key: value for key, value in self.environment.items() if key != "TRANSPROC_NODES"}
        return kept | {"TRANSPROC_STATE": str(self.home / "nothing"), "TRANSPROC_HOME": str(self.home)}

    def __call__(
        self, *words: str | Path, check: bool = True, context: str = "c"
    ) -> subprocess.CompletedProcess[str]:
        """A command that goes to the controller."""
        done = self._run(self.user, ["--controller", context, *map(str, words)])
        assert not check or done.returncode == 0, done.stderr
        return done

    def here(self, *words: str) -> str:
        """A command on its own host."""
        done = self._run(self.environment, list(words))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        """The result of a command that goes to the controller."""
        return json.loads(self(*words, "--json").stdout)

    def copies(self, node: str, program: str) -> str:
        """Processes there that execute the program."""
        script = 'ls -l /proc/[0-9]*/exe 2>/dev/null | grep "bin/$1$" || true'
        return self.nodes[node].output(["sh", "-c", script, "sh", program])

    @staticmethod
    def _run(environment: dict[str, str], words: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(COMMAND), *words],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            check=False,
            **more,
        )


@contextmanager
def serving(machines: NativeNodes, nodes: dict[str, SshNode], directory: Path) -> Iterator[Served]:
    """One, with all that it and its user have below a directory."""
    home = directory / "home"
    home.mkdir()
    shutil.copy(machines.configuration, directory / "nodes.toml")
    environment = os.environ | {
        "TRANSPROC_STATE": str(directory / "state"),
        "TRANSPROC_NODES": str(directory / "nodes.toml"),
    }
    made = Served(home, environment, nodes)
    try:
        made.start()
        yield made
    finally:
        made.end()

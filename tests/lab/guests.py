# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lab's guests as the two nodes that faults strike (`tests/native/site.py`), of which `na` has one ISA, `nb` the other; and
guests with an old processor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.native.performing import nodes_of
from tests.native.site import FULL
from transproc.errors import CommandError, LabError, NodeError
from transproc.lab import qemu
from transproc.lab.lab import Lab
from transproc.lab.qemu import Guest

OLDER = {"x86_64": "Nehalem,-cx16", "aarch64": "cortex-a57"}
"""The oldest processors that have the baseline: neither AVX nor XSAVE, no pointer authentication; without what the lab's usual
ones lack, too.
"""
SEEN_SECONDS = 5
"""A step that needs criu, or the pause tool, has started it by then, on an emulated machine."""

# Of criu those that it forks to become the program are left out; of the pause tool servers and supervisors.
_WORKING = """
working() {
  for p in $(grep -lE "^(criu|transproc-stop.*)$" /proc/[0-9]*/comm 2>/dev/null); do
    p=${p%/comm}; words=$(tr '\\0' ' ' <"$p/cmdline" 2>/dev/null)
    case $words in
      *transproc-stop*" serve"*|*transproc-stop*" channel"*) ;;
      *transproc-stop*) [ "$(readlink "$p/fd/1")" = /dev/null ] || echo "tool ${p#/proc/} $words" ;;
      *criu*" dump "*|*criu*" restore "*)
        parent=$(sed -n 's/^PPid:[^0-9]*//p' "$p/status" 2>/dev/null)
        [ "$(cat "/proc/$parent/comm" 2>/dev/null)" = criu ] || echo "criu ${p#/proc/} $words" ;;
    esac
  done
}
"""
_BUSY = f"{_WORKING}\nworking"
# Words: "criu" or "tool", how long to wait for it, how long then; seconds.
_KILL = f"""{_WORKING}
end=$(($(date +%s) + $2))
while [ "$(date +%s)" -le "$end" ]; do
  found=$(working | sed -n "s/^$1 \\([0-9]*\\) .*/\\1/p" | head -n 1)
  if [ "$found" ]; then sleep "$3"; kill -9 "$found"; exit 0; fi
done
"""
_END_CONNECTIONS = """
for p in /proc/[0-9]*; do
  case $(tr '\\0' ' ' <"$p/cmdline" 2>/dev/null) in "sshd"*": root@notty"*) kill -9 "${p#/proc/}" ;; esac
done
"""


@contextmanager
def older_processors() -> Iterator[None]:
    """Guests that are started inside have an old one."""
    with _commands(lambda guest, word: OLDER[guest.isa] if word == guest.cpu_tcg else word):
        yield


@contextmanager
def newest_processors() -> Iterator[None]:
    """Guests that are started inside have all that the emulator has, with pointer authentication."""
    with _commands(lambda guest, word: word.replace(" arm64.nopauth", "")):
        yield


@contextmanager
def _commands(change: Callable[[Guest, str], str]) -> Iterator[None]:
    """Words of the emulator's command line are others."""
    usual = qemu.command

    def command(guest: Guest, **more: Any) -> list[str]:
        return [change(guest, word) for word in usual(guest, **more)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qemu, "command", command)
        yield


class GuestSite:
    """A running lab as a `Site`; the program is first on the guest `source`, and moves to the other one."""

    def __init__(self, lab: Lab, directory: Path, source: str) -> None:
        machines = [lab.machine(name) for name in sorted(("x86", "arm"), key=lambda name: name != source)]
        text = (lab.directory / "nodes.toml").read_text()
        for name, machine in zip(("na", "nb"), machines, strict=True):
            text = text.replace(f"[{machine.name}]", f"[{name}]")
        directory.mkdir(parents=True, exist_ok=True)
        self.configuration = directory / "nodes.toml"
        self.configuration.write_text(text)
        self.ports = {name: machine.port for name, machine in zip(("na", "nb"), machines, strict=True)}
        self.nodes = nodes_of(self.configuration)

    def busy(self, node: str) -> list[str]:
        """As `Site` says."""
        return self.nodes[node].output(["sh", "-c", _BUSY]).splitlines()

    def end_connections(self, node: str) -> None:
        """As `Site` says: that through which it is asked for is one of them."""
        try:
            self.nodes[node].run(["sh", "-c", _END_CONNECTIONS], check=False)
        except (CommandError, NodeError):
            return

    def kill_when_there(self, whom: str, delay: float) -> None:
        """As `Site` says."""
        words = ["criu" if whom == "criu" else "tool", str(SEEN_SECONDS), str(delay)]

        def kill_on(name: str) -> None:
            self.nodes[name].run(["sh", "-c", _KILL, "sh", *words], check=False)

        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(kill_on, self.nodes))

    @contextmanager
    def full(self, node: str, left: int) -> Iterator[None]:
        """As `Site` says."""
        self.nodes[node].run(["sh", "-c", FULL, "sh", "/", str(left)])
        try:
            yield
        finally:
            self.nodes[node].run(["mount", "-o", "remount,size=75%", "/"])

    @contextmanager
    def years(self, node: str, count: int) -> Iterator[None]:
        """As `Site` says."""
        self._set_clock(node, time.time() + count * 365 * 86400)
        try:
            yield
        finally:
            self._set_clock(node, time.time())

    def _set_clock(self, node: str, seconds: float) -> None:
        self.nodes[node].run(["date", "-s", f"@{seconds:.0f}"])

    def short(self, node: str) -> AbstractContextManager[None]:
        """Raises `LabError`: a guest has no memory cgroups."""
        raise LabError(f"{node}: a guest cannot be short of memory")

    def reboot(self, node: str, *, wipe: bool) -> None:
        """Raises `LabError`: `test_failures.py` ends guests."""
        raise LabError(f"{node}: a guest that is started anew is at another port (wipe: {wipe})")

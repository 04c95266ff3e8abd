# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a lab machine and its emulator have said since it was started: two files in the lab's directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

READY = "transproc: ready, criu "
"""What a machine's console says when it takes connections; the exit status of its criu follows."""
KVM_BROKEN = "KVM internal error"
"""What the emulator prints when it leaves a machine stopped for good: nested KVM may lack instructions."""
LAST_LINES = 12


@dataclass(frozen=True)
class Console:
    """Of the machine `name` of the lab in `directory`."""

    directory: Path
    name: str

    @property
    def path(self) -> Path:
        """All that the machine wrote."""
        return self.directory / f"{self.name}.console"

    @property
    def emulator(self) -> Path:
        """All that its emulator wrote."""
        return self.directory / f"{self.name}.qemu.log"

    @property
    def ready(self) -> int | None:
        """The status of its criu, when it takes connections; None before."""
        text = _text(self.path)
        at = text.rfind(READY)
        return int(text[at + len(READY) :].split()[0]) if at >= 0 and "\n" in text[at:] else None

    @property
    def is_broken(self) -> bool:
        """Whether KVM has stopped it for good."""
        return KVM_BROKEN in _text(self.emulator)

    def tail(self) -> str:
        """The last lines of both, for messages."""
        parts = []
        for what, path in (("console", self.path), ("emulator", self.emulator)):
            lines = _text(path).strip().splitlines()[-LAST_LINES:]
            parts += [f"\n  {what}: {line.rstrip()}" for line in lines]
        return "".join(parts)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""

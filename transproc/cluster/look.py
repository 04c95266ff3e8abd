# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a node tells of a job's process, and of the room that it has, without stopping anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from transproc.process.answers import ProcessState
from transproc.process.view import View


class Liveness(StrEnum):
    """What a node says about a process."""

    RUNNING = "running"
    STOPPED = "stopped"
    GONE = "gone"


@dataclass(frozen=True)
class Room:
    """What a node offers: bytes that are free where jobs are kept, bytes of available memory, the size of its pages, the
    capabilities (a mask) that CRIU has there, the first process id that it does not give, the number of the job's user there,
    what its processor can, as /proc/cpuinfo names it, and the bits of the addresses that its kernel gives processes."""

    free: int
    memory: int
    page: int
    capabilities: int
    ids: int
    uid: int | None = None
    cpu: frozenset[str] = frozenset()
    space: int = 64


@dataclass(frozen=True)
class Look:
    """What one look at the job's node tells, without stopping anything."""

    room: Room
    liveness: Liveness
    processes: list[ProcessState]
    views: list[View]


def facts_of(text: str) -> dict[str, str]:
    """Lines of `name=value`."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def room_of(facts: Mapping[str, str]) -> Room:
    """From what the pause tool's `room` prints; what is missing is taken for enough."""

    def kilobytes(name: str, usual: int) -> int:
        return int(facts.get(name) or usual) * 1024

    capabilities = int(facts.get("capabilities") or "f" * 16, 16)
    ids = int(facts.get("ids") or 1 << 22)
    uid = facts.get("uid")
    return Room(
        kilobytes("free", 1 << 40),
        kilobytes("memory", 1 << 40),
        kilobytes("page", 4),
        capabilities,
        ids,
        int(uid) if uid else None,
        frozenset(facts.get("cpu", "").split()),
        _bits(facts.get("space") or "64"),
    )


def _bits(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d", text):
        raise ValueError(f"space is {text}")
    return int(text)


def liveness_of(state: str) -> Liveness:
    """Of the state letter of proc(5)."""
    letter = state.strip()
    if not letter:
        return Liveness.GONE
    return Liveness.STOPPED if letter == "T" else Liveness.RUNNING

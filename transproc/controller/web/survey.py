# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of the nodes: they are asked beside each other, and only while somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.errors import NodeError, TransprocError
from transproc.host import Host

EVERY = 4.0
"""Seconds between two questions."""
PATIENCE = 3.0
"""Seconds that all have to answer."""
DOWN = 30.0
"""Seconds between two questions to a node that does not answer."""
FORGET = 20.0
"""So many seconds after its last answer a node that does not answer is shown as such."""


@dataclass(frozen=True)
class Known:
    """All nodes: what their owner says of them, and what they said last."""

    nodes: Mapping[str, Description]
    facts: Mapping[str, Facts | TransprocError]

    @property
    def isas(self) -> dict[str, str]:
        """By node, as far as that is known."""
        return {name: found.isa for name, found in self.facts.items() if isinstance(found, Facts)}


class Survey:
    """Methods may be called from several threads."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._facts: dict[str, Facts | TransprocError] = {}
        self._heard: dict[str, float] = {}
        self._next: dict[str, float] = {}
        self._asked = -EVERY

    def known(self) -> Known:
        """What is known now; asks nobody."""
        nodes = {name: self._host.description(name) for name in self._host.names()}
        with self._lock:
            return Known(nodes, {name: found for name, found in self._facts.items() if name in nodes})

    @property
    def began(self) -> bool:
        """Nodes were asked before."""
        return self._asked >= 0

    def ask(self, patience: float = PATIENCE) -> bool:
        """Asks all nodes, unless that was done a moment ago; returns whether something has changed. `patience`: in seconds."""
        if not self._asking.acquire(blocking=False):
            return False
        try:
            if time.monotonic() - self._asked < EVERY:
                return False
            now = self._asked = time.monotonic()
            names = [name for name in self._host.names() if now >= self._next.get(name, 0.0)]
            return self._take(names, self._host.survey(names, deadline=patience))
        finally:
            self._asking.release()

    def _take(self, names: Sequence[str], found: Mapping[str, Facts | TransprocError]) -> bool:
        now = time.monotonic()
        with self._lock:
            before = dict(self._facts)
            for name in names:
                answer = found.get(name)
                if isinstance(answer, Facts):
                    self._heard[name], self._facts[name] = now, answer
                elif now - self._heard.setdefault(name, now - FORGET * (answer is not None)) >= FORGET:
                    self._facts[name] = answer or NodeError(name, f"has not answered for {FORGET:g} s")
                    self._next[name] = now + DOWN
            return before != self._facts

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of the nodes: they are asked beside each other, and only while somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.errors import NodeError, TransprocError
from transproc.host import Host

EVERY = 4.0
"""Seconds from a node's answer to the next question."""
DOWN = 30.0
"""The same for one that cannot be reached."""
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

    def __init__(self, host: Host, do: Callable[[Callable[[], None]], None]) -> None:
        """`do`: calls something in another thread."""
        self._host = host
        self._do = do
        self._news = threading.Condition()
        self._facts: dict[str, Facts | TransprocError] = {}
        self._heard: dict[str, float] = {}
        self._next: dict[str, float] = {}
        self._pending: set[str] = set()
        self.began = False
        """Nodes were asked before."""
        self.version = 0
        """Another one whenever something has changed."""

    def known(self) -> Known:
        """What is known now; asks nobody."""
        nodes = {name: self._host.description(name) for name in self._host.names()}
        with self._news:
            return Known(nodes, {name: found for name, found in self._facts.items() if name in nodes})

    def ask(self, patience: float = 0.0) -> None:
        """Asks the nodes whose turn it is, and waits so many seconds for their answers; later ones count as well."""
        now, self.began = time.monotonic(), True
        with self._news:
            names = [name for name in self._host.names() if now >= self._next.get(name, 0.0)]
            fresh = [name for name in names if name not in self._pending]
            self._pending.update(fresh)
        for name in fresh:
            self._do(partial(self._ask, name))
        with self._news:
            self._news.wait_for(lambda: self._pending.isdisjoint(names), patience)

    def _ask(self, name: str) -> None:
        answer: Facts | TransprocError
        try:
            answer = self._host.facts(name)
        except TransprocError as error:
            answer = error
        except Exception as error:  # that of one node must not be the end of all questions to it
            answer = NodeError(name, f"internal error: {error!r}")
        now = time.monotonic()
        with self._news:
            self._pending.discard(name)
            there = isinstance(self._facts.get(name), Facts)  # one that was there a moment ago may be busy
            self._next[name] = now + (EVERY if there or isinstance(answer, Facts) else DOWN)
            if isinstance(answer, Facts):
                self._heard[name] = now
            if isinstance(answer, Facts) or now - self._heard.get(name, -FORGET) >= FORGET:
                self.version += self._facts.get(name) != answer
                self._facts[name] = answer
            self._news.notify_all()

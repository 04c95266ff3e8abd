# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Questions to several nodes beside each other, of which none is waited for longer than all may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from transproc.errors import TransprocError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def beside(questions: Mapping[K, Callable[[], V]], deadline: float) -> dict[K, V | TransprocError]:
    """The answers that came within `deadline` seconds, or what was raised instead; who has not answered is not in it.

    What is under way then comes to its end by itself, unheard.
    """
    answers: SimpleQueue[tuple[K, V | TransprocError]] = SimpleQueue()

    def ask(key: K, question: Callable[[], V]) -> None:
        try:
            answers.put((key, question()))
        except TransprocError as error:
            answers.put((key, error))

    until = time.monotonic() + deadline
    for key, question in questions.items():
        Thread(target=ask, args=[key, question], daemon=True).start()
    found: dict[K, V | TransprocError] = {}
    while len(found) < len(questions):
        try:
            key, answer = answers.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        found[key] = answer
    return found

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Conditions as people write them, and whether they hold.

    load of NODE above 0.8         of its processors: 1.0 is a node that has as much to do as it can
    memory of NODE below 20%       what programs can still get of it
    JOB enters FUNCTION            the program is stopped there
    JOB prints TEXT                anything that it has printed since its start counts
    JOB has ended

`is` may stand before above and below; `>` and `<` mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from transproc.automation.plans.model import Condition, Kind
from transproc.cluster.facts import Facts
from transproc.cluster.job import Job, State
from transproc.cluster.place import Place
from transproc.cluster.store import JobStore
from transproc.cluster.watch import refresh
from transproc.errors import TransprocError

EXAMPLES = (
    '"load of x86 above 0.8", "memory of x86 below 20%", "bt enters adi", "bt prints step 20", "bt has ended"'
)
_NAME = r"([\w.-]{1,80})"
_LIMIT = re.compile(
    rf"(?:the )?(load|memory) of {_NAME} (?:is )?(above|below|>|<) ?(\d{{1,9}}(?:\.\d{{1,9}})?)(%?)", re.ASCII
)
_ENTERS = re.compile(rf"{_NAME} enters (\S{{1,255}})", re.ASCII)
_PRINTS = re.compile(rf"{_NAME} prints (.{{1,255}})")
_ENDED = re.compile(rf"{_NAME} has ended", re.ASCII)


def parse(text: str) -> Condition:
    """Raises `TransprocError` for what is no condition."""
    words = " ".join(text.split())
    if match := _LIMIT.fullmatch(words):
        what, node, how, number, percent = match.groups()
        limit = float(number) / (100 if percent else 1)
        if what == "memory" and not percent:
            raise TransprocError(
                f"{text!r}: memory is told in percent", hint='as in "memory of x86 below 20%"'
            )
        return Condition(Kind(what), node, words, how in ("above", ">"), limit)
    if match := _ENTERS.fullmatch(words):
        return Condition(Kind.ENTERS, match[1], words, what=match[2])
    if match := _PRINTS.fullmatch(text.strip()):
        return Condition(Kind.PRINTS, match[1], words, what=match[2].strip().strip("\"'"))
    if match := _ENDED.fullmatch(words):
        return Condition(Kind.ENDED, match[1], words)
    raise TransprocError(f"{text!r} is no condition", hint=f"write one as in {EXAMPLES}")


class Watch:
    """Looks whether conditions hold. `facts` of a node, as the plan names it; `job`: the record of a job, likewise;
    None as long as the plan has not started it, whatever else has had that name before.
    """

    def __init__(
        self,
        store: JobStore,
        facts: Callable[[str], Facts],
        job: Callable[[str], Job | None],
        place: Callable[[Job], Place],
    ) -> None:
        self._store = store
        self._facts = facts
        self._job = job
        self._place = place
        self._read: dict[tuple[str, str, str], tuple[int, bytes]] = {}

    def holds(self, condition: Condition) -> bool:
        """Now; a function that a program enters is not seen by looking. Raises `NodeError` if a node does not answer."""
        if condition.kind is Kind.LOAD:
            return self._compare(condition, self._facts(condition.subject).busy)
        if condition.kind is Kind.MEMORY:
            facts = self._facts(condition.subject)
            return self._compare(condition, facts.available / (facts.memory or 1))
        job = self._job(condition.subject)
        if job is None:
            return False
        if condition.kind is Kind.ENDED:
            return refresh(self._store, job, self._place(job)).state is State.EXITED
        return self._prints(condition, job)

    @staticmethod
    def _compare(condition: Condition, found: float) -> bool:
        return found > condition.limit if condition.above else found < condition.limit

    def _prints(self, condition: Condition, job: Job) -> bool:
        """What was read once is not read again; a text may lie across the border."""
        wanted = condition.what.encode()
        key = (job.id, condition.subject, condition.what)
        offset, tail = self._read.get(key, (0, b""))
        if offset < 0:
            return True
        new = self._place(job).read("stdout", offset)
        found = wanted in tail + new
        self._read[key] = (-1 if found else offset + len(new), (tail + new)[-len(wanted) :])
        return found

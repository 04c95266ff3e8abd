# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far a plan had come that was cut off, called off or has failed: what of it is not done again when it goes on.

A step that was settled is not done again, and what it waited for is not waited for. The step that was under way is looked at:
if its job is where the step would have brought it, it is settled as well. A job that has been let go meanwhile (`recover`, or the
end of the plan, does that) is stopped, dumped and sent once more, as far as the plan had come with that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from transproc.automation.plans.model import Step, Verb
from transproc.automation.plans.records import Result, StepRecord
from transproc.cluster.job import Job, State

_SETTLED = (Result.DONE, Result.SKIPPED)
_STAYS = (Verb.PAUSE, Verb.DUMP, Verb.TRANSFORM, Verb.SHIP)
"""Steps after which a job stands still."""
_REACHED: dict[Verb, State] = {
    Verb.PAUSE: State.PAUSED,
    Verb.DUMP: State.DUMPED,
    Verb.TRANSFORM: State.TRANSFORMED,
    Verb.SHIP: State.SHIPPED,
    Verb.KILL: State.EXITED,
}


@dataclass
class Progress:
    """`settled`: the places of steps that are not done again; `elapsed`: seconds since the plan began; `under_way`: the place of
    the steps that had begun and have no good end.
    """

    settled: set[str] = field(default_factory=set)
    under_way: set[str] = field(default_factory=set)
    seen: frozenset[str] = frozenset()
    elapsed: float = 0.0

    def begun(self, place: str) -> bool:
        """Whether something within a block at that place had begun: what the block waits for has come."""
        return any(one.startswith((f"{place}#", f"{place}/")) for one in self.seen)

    def round(self, place: str) -> int:
        """The latest round of a repeated block that had begun; those before it are settled. 0: none."""
        head = f"{place}#"
        rounds = [one[len(head) :].partition(".")[0] for one in self.seen if one.startswith(head)]
        return max(map(int, rounds), default=0)


def progress(
    steps: Sequence[StepRecord],
    jobs: Mapping[str, Job],
    elapsed: float,
    target: Callable[[str], str | None],
) -> Progress:
    """From a plan's log; `jobs`: by the plan's names, as they are now; `target`: the node that the step at a place names."""
    last: dict[str, StepRecord] = {}
    for step in steps:
        if step.place:
            last[step.place] = step
    found = Progress(seen=frozenset(last), elapsed=elapsed)
    found.settled = {place for place, step in last.items() if step.result in _SETTLED}
    found.under_way = last.keys() - found.settled
    for name, job in jobs.items():
        if job.state is State.RUNNING:
            found.settled -= _standing(name, job, last, found.settled, target)
    return found


def _standing(
    name: str,
    job: Job,
    last: Mapping[str, StepRecord],
    settled: set[str],
    target: Callable[[str], str | None],
) -> set[str]:
    """The latest steps of a job that leave it standing still: it does not any more. None if it is where they were to bring it."""
    mine = sorted((step for step in last.values() if step.job == name), key=lambda step: step.number)
    found: set[str] = set()
    for step in mine:
        if step.place in settled and step.verb != Verb.COMMAND:
            found = {*found, step.place} if step.verb in _STAYS else set()
    first = min((last[place].number for place in found), default=0)
    sent = [step for step in mine if step.verb in (Verb.SHIP, Verb.RESTORE) and step.number >= first]
    return set() if any(target(step.place) == job.node for step in sent) else found


def already(step: Step, job: Job | None, target: str | None) -> bool:
    """Whether a step that was under way has come to its end all the same; `target`: the node that it names."""
    if job is None:
        return False
    if step.verb in (Verb.MIGRATE, Verb.RESTORE):
        there = job.node == target and job.state in (State.RUNNING, State.PAUSED, State.EXITED)
        return there and (step.at is None or step.verb is Verb.MIGRATE or job.state is State.PAUSED)
    if step.verb is Verb.RUN:
        return job.state in (State.RUNNING, State.PAUSED, State.EXITED)
    if step.verb is Verb.RESUME:
        return job.state is State.RUNNING
    if step.verb is Verb.CHECKPOINT:
        return step.end and job.state is State.EXITED
    if step.verb is Verb.PAUSE and step.at:
        return False
    return _REACHED.get(step.verb) is job.state

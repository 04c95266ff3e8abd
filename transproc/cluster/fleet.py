# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""All nodes as whoever decides where jobs go sees them at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.cluster.job import Job, State
from transproc.errors import TransprocError


@dataclass(frozen=True)
class NodeState:
    """A node: what it says of itself, or why it does not, None if it has not answered in time; what its owner says of it; and
    how many jobs of this host's are there, or on their way.
    """

    name: str
    facts: Facts | TransprocError | None
    description: Description
    jobs: int = 0

    @property
    def labels(self) -> frozenset[str]:
        """All that it has."""
        isa = self.facts.isa if isinstance(self.facts, Facts) else ""
        return self.description.all_labels(self.name, isa)

    @property
    def free(self) -> bool:
        """It may take one more job."""
        return self.description.capacity is None or self.jobs < self.description.capacity

    @property
    def busy(self) -> float | None:
        """How much it has to do for each processor, counting jobs that its load does not show yet; None: it does not answer."""
        if not isinstance(self.facts, Facts):
            return None
        return max(self.facts.load, float(self.jobs)) / self.facts.cpus


def count(jobs: Iterable[Job]) -> Counter[str]:
    """How many jobs, that have not ended, each node has or is about to get."""
    living = [job for job in jobs if job.state is not State.EXITED]
    return Counter(node for job in living for node in {job.node, job.target} if node is not None)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of a plan when it is carried out."""

from __future__ import annotations

from dataclasses import dataclass, field

from transproc.automation.plans.model import Plan
from transproc.automation.plans.reading import PlanError, Problem


@dataclass
class Checked:
    """A plan, what its names of nodes mean, and everything that is wrong or worth a note, by line."""

    plan: Plan
    nodes: dict[str, str]
    problems: list[Problem]
    isas: dict[str, str] = field(default_factory=dict)
    labelled: frozenset[str] = frozenset()
    """Names that are looked up again at each instruction."""

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        return all(problem.note for problem in self.problems)

    def expect_good(self) -> None:
        """Raises `PlanError` if something is wrong."""
        if not self.good:
            raise PlanError(self.plan.path, self.problems)

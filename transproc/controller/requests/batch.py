# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Batches that a controller carries out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from transproc.automation import parcel
from transproc.automation.batch import model, planning, report
from transproc.automation.batch.runner import THEN, carry_out
from transproc.automation.plans.reading import load
from transproc.cluster.operations import Context
from transproc.controller.requests.base import Desk, Meaning
from transproc.controller.requests.plans import Sent
from transproc.host import Host


@dataclass(frozen=True)
class RunBatch(Sent):
    """Runs a list of programs on all nodes, and says what that took and cost: for each way of carrying it out a report.

    Called off, nothing more is started or moved; what runs goes on. The runs are jobs as any other, and stay.
    """

    kind: ClassVar[str] = "run-batch"
    path: ClassVar[str] = "/batches"
    then: ClassVar[str] = THEN
    migrate: Annotated[bool, Meaning("What runs may move to where it is done sooner, or cheaper.")] = True
    compare: Annotated[bool, Meaning("Carry it out twice: without migration, then with it.")] = False
    dry_run: Annotated[bool, Meaning("Check it and return the nodes; do nothing.")] = False

    def _look(self, file: Path, desk: Desk) -> None:
        model.read(load(file))

    def perform_on(self, host: Host, context: Context) -> Any:
        """As the base says."""
        context = dataclasses.replace(context, user=self.user, starter=self.starter)
        file = Path(self.file)
        try:
            found = model.read(load(file))
            seats = planning.seats(found, host)
            if self.dry_run:
                return {"batch": found.name, "nodes": [vars(seat) for seat in seats]}
            ways = [False, True] if self.compare else [self.migrate]
            reports = carry_out(found, seats, context, ways)
        finally:
            parcel.forget(context.store.directory, file)
        return {"batch": found.name, "reports": [report.as_dict(one) for one in reports]}

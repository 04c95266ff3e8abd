# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller ends plans that were cut off, and leaves those alone that somebody carries out."""

from __future__ import annotations

import time
from pathlib import Path

from transproc.automation.plans import records
from transproc.automation.plans.model import Plan
from transproc.controller.service import Service

PLAN = Plan("tour", Path("tour.toml"), {}, {}, ())


def result(service: Service, number: int) -> str | None:
    return records.plans(service.store, str(number))[0].result


def test_plans_that_were_cut_off_are_ended(service: Service) -> None:
    with records.begun(service.store, PLAN, {}) as cut_off:
        pass
    with records.begun(service.store, PLAN, {}) as under_way:
        service.watch.settle()
        until = time.monotonic() + 10
        while result(service, cut_off.number) is None and time.monotonic() < until:
            time.sleep(0.01)
        assert result(service, cut_off.number) == "cut off"
        assert result(service, under_way.number) is None

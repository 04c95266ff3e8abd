# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the web page keeps besides the controller's service: what nodes said last, and stacks that somebody wanted to see."""

from __future__ import annotations

from fastapi import Request

from transproc.controller.service import Service
from transproc.controller.taskrecords import Task
from transproc.controller.web.stacks import Stacks
from transproc.controller.web.survey import Survey


class Web:
    """Of one controller."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.survey = Survey(service.host, service.do_on_node)
        self.stacks = Stacks(service.store)

    def live_task(self, job: str) -> Task | None:
        """The task that works on a job now."""
        return next((task for task in self.service.tasks.live() if task.job == job), None)

    def at_work(self, job: str) -> bool:
        """Whether something works on it: a task, or a command of this host."""
        return self.live_task(job) is not None or self.service.store.at_work(job)


async def web_of(request: Request) -> Web:
    """The one of this controller. (FastAPI gives what is not asynchronous a thread for each request.)"""
    found = request.app.state.web
    assert isinstance(found, Web)
    return found

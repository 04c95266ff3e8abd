# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""All requests that there are."""

from transproc.controller.requests.base import Request
from transproc.controller.requests.batch import RunBatch
from transproc.controller.requests.jobs import Kill, Pause, Recover, Resume
from transproc.controller.requests.move import Dump, Forecast, Migrate, Restore, Ship, Transform
from transproc.controller.requests.nodes import AddNode, CheckNodes, RemoveNode
from transproc.controller.requests.plans import ReplayPlan, ResumePlan, RunPlan
from transproc.controller.requests.start import Checkpoint, Restart, Run

ALL: tuple[type[Request], ...] = (
    Run,
    Migrate,
    Forecast,
    Pause,
    Dump,
    Transform,
    Ship,
    Restore,
    Resume,
    Kill,
    Recover,
    Checkpoint,
    Restart,
    AddNode,
    CheckNodes,
    RemoveNode,
    RunPlan,
    ReplayPlan,
    ResumePlan,
    RunBatch,
)

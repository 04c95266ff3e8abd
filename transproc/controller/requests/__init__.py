# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be asked for: one class for each operation, with its parameters as fields, and a result that JSON can hold.

The command line makes one and performs it on this host, or sends it to a controller, which performs it there; so the two can
never differ. A new operation is a class in a module here and its line in `ALL`: it then has a command's seam, an endpoint with
its description, a record, limits, and the roles that may use it.
"""

from transproc.controller.requests.base import Request
from transproc.controller.requests.batch import RunBatch
from transproc.controller.requests.jobs import Kill, Pause, Recover, Resume
from transproc.controller.requests.move import Dump, Forecast, Migrate, Restore, Ship, Transform
from transproc.controller.requests.nodes import AddNode, CheckNodes, RemoveNode
from transproc.controller.requests.plans import ReplayPlan, ResumePlan, RunPlan
from transproc.controller.requests.start import Checkpoint, Restart, Run

__all__ = [
    "ALL",
    "AddNode",
    "CheckNodes",
    "Checkpoint",
    "Dump",
    "Forecast",
    "Kill",
    "Migrate",
    "Pause",
    "Recover",
    "RemoveNode",
    "ReplayPlan",
    "Request",
    "Restart",
    "Restore",
    "Resume",
    "ResumePlan",
    "Run",
    "RunBatch",
    "RunPlan",
    "Ship",
    "Transform",
]

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

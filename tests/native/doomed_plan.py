# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A plan that is killed at a certain moment: python -m tests.native.doomed_plan VERB begun|done|settled plan …

The moment is in the first step of that kind: when the log says that it begins, when it is done and the log does not know it, when
the log knows it.
"""

from __future__ import annotations

import os
import signal
import sys

from transproc.automation.plans.model import Step
from transproc.automation.plans.records import Log, Result
from transproc.cli import main


def doom(verb: str, moment: str) -> None:
    """From now on this process lives until then in a step of that kind."""
    begin, end, doomed = Log.begin, Log.end, set[int]()

    def begin_or_die(log: Log, place: str, step: Step, title: str) -> int:
        number = begin(log, place, step, title)
        if step.verb == verb:
            doomed.add(number)
            if moment == "begun":
                os.kill(os.getpid(), signal.SIGKILL)
        return number

    def end_or_die(log: Log, step: int, result: Result, detail: str = "") -> None:
        if step in doomed and moment == "done":
            os.kill(os.getpid(), signal.SIGKILL)
        end(log, step, result, detail)
        if step in doomed:
            os.kill(os.getpid(), signal.SIGKILL)

    Log.begin, Log.end = begin_or_die, end_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    doom(*sys.argv[1:3])
    main.main(sys.argv[3:])

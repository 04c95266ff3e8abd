# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller that is killed at a certain moment: python -m tests.native.doomed STEP begun|done serve …

The moment is when the stream of events is to be told that a step has begun, or is done: exactly then.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from transproc.cli import main
from transproc.controller.stream import Stream


def doom(step: str, state: str) -> None:
    """From now on this process lives until then."""
    publish = Stream.publish

    def publish_or_die(stream: Stream, kind: str, data: dict[str, Any]) -> None:
        if kind == "step" and (data["name"], data["state"]) == (step, state):
            os.kill(os.getpid(), signal.SIGKILL)
        publish(stream, kind, data)

    Stream.publish = publish_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    doom(*sys.argv[1:3])
    main.main(sys.argv[3:])

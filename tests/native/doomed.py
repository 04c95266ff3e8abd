# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller that is killed at a certain moment: python -m tests.native.doomed MOMENT FILE serve …

A moment is when the stream of events is to be told that a step has begun, is done, or has failed: exactly then. MOMENT is its
number, 1 the first, or its name, such as `dump begun`. The names of all that come are written to FILE.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from transproc.cli import main
from transproc.controller.stream import Stream


def doom(moment: str, record: Path) -> None:
    """From now on this process lives until then."""
    publish, lock, count = Stream.publish, threading.Lock(), 0

    def publish_or_die(stream: Stream, kind: str, data: dict[str, Any]) -> None:
        nonlocal count
        if kind == "step":
            with lock:
                count += 1
                name = f"{data['name']} {data['state']}"
                with record.open("a") as file:
                    file.write(f"{name}\n")
                if moment in (str(count), name):
                    os.kill(os.getpid(), signal.SIGKILL)
        publish(stream, kind, data)

    Stream.publish = publish_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    doom(sys.argv[1], Path(sys.argv[2]))
    main.main(sys.argv[3:])

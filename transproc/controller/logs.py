# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller's log: one line for each request and each task, as JSON for programs or as text for people."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from transproc.errors import printable

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """One object a line: time, level, message, and what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging says."""
        return json.dumps({"time": round(record.created, 3), **_words(record)}, default=str)


class Lines(logging.Formatter):
    """Time, level, message, and what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging says."""
        words = _words(record)
        level, message = words.pop("level"), words.pop("message")
        rest = " ".join(f"{key}={value}" for key, value in words.items())
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        return printable(f"{clock} {level:7} {message} {rest}".rstrip().replace("\n", "\\n"))


def begin(*, as_json: bool, level: int = logging.INFO) -> None:
    """From now on what is logged goes to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else Lines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _words(record: logging.LogRecord) -> dict[str, Any]:
    more = {key: value for key, value in vars(record).items() if key not in _USUAL}
    if record.exc_info:
        more["exception"] = logging.Formatter().formatException(record.exc_info)
    return {"level": record.levelname.lower(), "message": record.getMessage(), **more}

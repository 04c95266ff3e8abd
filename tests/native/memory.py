# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processes that get hardly any more memory: a memory cgroup of their own, of version 1 or 2."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LEFT = 2 << 20
"""Bytes: enough for a shell, not for criu."""
_ROOTS = {Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes", Path("/sys/fs/cgroup"): "memory.max"}


def root() -> tuple[Path, str] | None:
    """Where groups can be made, and the name of their limit; None if this machine has none."""
    for path, limit in _ROOTS.items():
        if any(path.glob(f"*/{limit}")) and os.access(path, os.W_OK):
            return path, limit
    return None


@contextmanager
def short(pids: Sequence[int]) -> Iterator[None]:
    """Inside, the kernel ends one of them, or of what they start, when together they want more than LEFT."""
    found = root()
    assert found is not None
    top, limit = found
    group = top / f"transproc-test-{os.getpid()}-{time.monotonic_ns()}"
    group.mkdir()
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (group / "cgroup.procs").write_text(str(pid))
        (group / limit).write_text(str(LEFT))
        yield
    finally:
        (group / limit).write_text("-1" if limit.endswith("bytes") else "max")
        _leave(group, top)


def _leave(group: Path, top: Path) -> None:
    until = time.monotonic() + 10
    while True:
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (top / "cgroup.procs").write_text(pid)
        try:
            group.rmdir()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The processor time of a tree, as the tool lists it before a dump."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from transproc.process.launch import Files
from transproc.process.tool import Tool
from transproc.run import run
from transproc.transform.clocks import TICK, Used, parse


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def listed(tool: Tool, directory: Path) -> dict[int, Used]:
    """Of this process and its children."""
    (directory / "data").mkdir()
    path, files = directory / "clocks", Files(str(directory / "data"), str(directory / "list"))
    run([*tool.before_dump(os.getpid(), files, 0, str(path)), "/bin/true"])
    return parse(path.read_text())


def test_processes_threads_and_zombies(tool: Tool, tmp_path: Path) -> None:
    zombie = os.fork()
    if zombie == 0:
        burn(0.05)
        os._exit(0)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (burn(0.05), ready.set(), done.wait()))
    thread.start()
    try:
        ready.wait()
        before, process_before = os.times(), time.process_time_ns()
        found = listed(tool, tmp_path)
        after, process_after = os.times(), time.process_time_ns()
    finally:
        done.set()
        thread.join()
        os.waitpid(zombie, 0)
    own = found[os.getpid()]
    assert own.parent == os.getppid()
    assert process_before <= own.time.total <= process_after
    assert before.user * 1e9 - TICK <= own.time.user <= after.user * 1e9 + 2 * TICK
    assert before.system * 1e9 - TICK <= own.time.system <= after.system * 1e9 + 2 * TICK
    assert set(own.threads) >= {os.getpid(), thread.native_id}
    assert own.threads[thread.native_id or 0].total >= 50_000_000
    assert found[zombie].parent == os.getpid()
    assert found[zombie].time.total >= 50_000_000

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How much processor time each job on a node has used, by one request to its shell."""

from __future__ import annotations

import re
from collections import defaultdict

from transproc.cluster.base import DATA, Node
from transproc.process.runner import understood

TICKS = 100
"""A second in /proc/PID/stat, on all of Linux's ISAs (USER_HZ)."""
_LINE = re.compile(r"([a-z0-9][a-z0-9._-]{0,39}) (\d{1,18}) (\d{1,18})")

# The name of a process stands in parentheses, and may hold anything: what is behind the last one is numbers (proc_pid_stat(5)).
SCRIPT = """
ls -l /proc/[0-9]*/exe 2>/dev/null | grep -F -- "-> $1/" | sed "s|.* /proc/\\([0-9]*\\)/exe -> $1/\\([^/]*\\)/bin/.*|\\1 \\2|" |
while read -r pid job; do
  line=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
  set -f; set -- ${line##*)}
  echo "$job ${12} ${13}"
done
"""
"""Words: the directory of all jobs."""


def ask(node: Node, *, timeout: float = 10.0) -> dict[str, float]:
    """Seconds that the living processes of each job there have used; raises `NodeError`, `FormatError`."""
    done = node.run(["sh", "-c", SCRIPT, "sh", str(DATA / "jobs")], timeout=timeout)
    with understood(f"node {node.name}"):
        return parse(done.stdout)


def parse(answer: bytes) -> dict[str, float]:
    """Of what `SCRIPT` has printed. Raises `ValueError`."""
    found: dict[str, float] = defaultdict(float)
    for line in answer.decode().splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{line[:80]!r} is not a job's time")
        found[match[1]] += (int(match[2]) + int(match[3])) / TICKS
    return dict(found)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a node is and does at this moment, by one request to its shell, which may be busybox's.

A node is not trusted: its answer is short, and every number in it within bounds, or it is refused.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transproc.cluster.base import DATA, Node
from transproc.process.runner import understood

ANSWER_SECONDS = 10.0
"""An emulated machine under load takes a second; one that takes longer than this counts as one that does not answer."""
_LONGEST = 1 << 16
"""Bytes. Most of them are the names of what the processor can."""

# The clock comes last: `criu` may have to be read from the disk first. A date(1) without %N gives whole seconds.
SCRIPT = """
echo "isa=$(uname -m)"
echo "kernel=$(uname -r)"
echo "cpus=$(grep -c '^cpu[0-9]' /proc/stat)"
read -r load rest </proc/loadavg; echo "load=$load"
read -r uptime rest </proc/uptime; echo "uptime=$uptime"
sed -n 's/^MemTotal: *\\([0-9]*\\) kB/memory=\\1/p;s/^MemAvailable: *\\([0-9]*\\) kB/available=\\1/p' /proc/meminfo
b=$1 d=$1; shift
while [ ! -d "$d" ]; do d=${d%/*}; d=${d:-/}; done
echo "disk=$(df -Pk "$d" | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\\([0-9]*\\) .*/\\1/p')"
echo "ids=$(cat /proc/sys/kernel/pid_max)"
echo "page=$(sed -n '/^KernelPageSize/{s/^[^0-9]*\\([0-9]*\\).*/\\1/p;q;}' /proc/self/smaps)"
sed -n 's/^\\(flags\\|Features\\)[^:]*: */cpu=/p;/^cpu=/q' /proc/cpuinfo | sed 1q
b=$b/bin/criu
[ "$1" != criu ] || command -v criu >/dev/null || [ ! -x "$b/criu" ] || set -- "$b/ld.so" --library-path "$b/lib" "$b/criu"
echo "criu=$("$@" --version 2>/dev/null | sed -n 's/^Version: *//p' | sed 1q)"
echo "time=$(date +%s.%N)"
"""
"""Words: the data directory, and the command line of criu there; one that was brought (`cluster.criu`) is looked for."""


@dataclass(frozen=True)
class Facts:
    """Of one node; sizes in bytes, times in seconds.

    `load`: processes that ran or waited for a processor, on average of the last minute; `available`: memory that programs can
    still get; `disk`: free where jobs are kept; `criu`: its version, empty if there is none; `clock`: by how much the node's is
    ahead of ours, give or take half of `answer`, the time that it took to answer; `ids`: process ids are below that; `abilities`
    of the processor, as /proc/cpuinfo has them.
    """

    isa: str
    cpus: int
    load: float
    memory: int
    available: int
    disk: int
    kernel: str
    criu: str
    page: int
    uptime: float
    clock: float
    answer: float
    ids: int
    abilities: frozenset[str] = frozenset()

    @property
    def busy(self) -> float:
        """Load for each processor: 1.0 is a node that has as much to do as it can."""
        return self.load / self.cpus

    @property
    def criu_version(self) -> tuple[int, ...]:
        """Empty if there is none, which is less than any."""
        return tuple(int(word) for word in re.findall(r"\d{1,9}", self.criu.partition("-")[0]))

    def as_dict(self) -> dict[str, Any]:
        """For JSON; without the long list of abilities."""
        found = dataclasses.asdict(self)
        del found["abilities"]
        return found


def too_high(pid: int, ids: int) -> str | None:
    """Why a process cannot keep its id on a node whose ids are below `ids`; None if it can."""
    return f"gives process ids below {ids}, but the program has {pid}" if pid >= ids else None


def ask(node: Node, *, criu: Sequence[str] = ("criu",), timeout: float = ANSWER_SECONDS) -> Facts:
    """What the node says of itself; raises `NodeError` if it cannot be reached or does not answer in `timeout` seconds, and
    `FormatError` for an answer that cannot be meant. `criu`: how it is started there.
    """
    words = ["sh", "-c", SCRIPT, "sh", str(DATA), *criu]
    _ = node.session  # connecting is not a part of the answer
    begin, sent = time.time(), time.monotonic()
    done = node.run(words, timeout=timeout)
    took = time.monotonic() - sent
    with understood(f"node {node.name}"):
        return parse(done.stdout, began=begin, took=took)


def parse(answer: bytes, *, began: float, took: float) -> Facts:
    """The facts of what `SCRIPT` has printed, asked at time `began`. Raises `ValueError` or `LookupError`."""
    if len(answer) > _LONGEST:
        raise ValueError(f"{len(answer)} bytes, expected at most {_LONGEST}")
    found = dict(line.split("=", 1) for line in answer.decode().splitlines() if "=" in line)
    return Facts(
        isa=_word(found, "isa", r"[a-z0-9_]{1,32}"),
        cpus=int(_number(found, "cpus", 1, 1 << 16)),
        load=_number(found, "load", 0, 1e6),
        memory=_kilobytes(found, "memory"),
        available=_kilobytes(found, "available"),
        disk=_kilobytes(found, "disk"),
        kernel=_word(found, "kernel", r"[\w.+~-]{1,80}"),
        criu=_word(found, "criu", r"[\w.+~-]{0,40}"),
        page=_kilobytes(found, "page"),
        uptime=_number(found, "uptime", 0, 1e11),
        clock=round(_time(_word(found, "time", r"\d{1,12}(\.[\w%]*)?")) - (began + took / 2), 3),
        answer=round(took, 4),
        ids=int(_number(found, "ids", 1, 1 << 31)),
        abilities=frozenset(re.findall(r"\b[\w.]{1,40}\b", found.get("cpu", ""))),
    )


def _number(found: Mapping[str, str], name: str, least: float, most: float) -> float:
    text = _word(found, name, r"\d{1,16}(\.\d{1,9})?")
    if not least <= float(text) <= most:
        raise ValueError(f"{name} is {text}")
    return float(text)


def _kilobytes(found: Mapping[str, str], name: str) -> int:
    return int(_number(found, name, 0, 1 << 50)) * 1024


def _word(found: Mapping[str, str], name: str, pattern: str) -> str:
    text = found[name]
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ValueError(f"{name} is {text[:80]!r}")
    return text


def _time(text: str) -> float:
    """A date without fractions has lost half a second, on average."""
    whole, _, fraction = text.partition(".")
    return int(whole) + (float(f"0.{fraction}") if fraction.isdecimal() else 0.5)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory that packs, and such that does not, over links of known rates: as it is, packed where that pays, by OpenSSH, in turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

from tests.benchmarks.links import limited
from tests.benchmarks.native import Bench
from tests.benchmarks.workloads import COMPILER
from tests.native.nodes import NativeNodes, Setting
from transproc import log
from transproc.cluster.node import Node
from transproc.cluster.start import Program
from transproc.paths import SOURCE
from transproc.process.criu import Options
from transproc.run import run

LINKS = {"100mbit": 128, "1gbit": 512, "no limit": 512}
"""Megabytes of the program."""
CONTENTS = {"records": [], "random": ["random"]}
WAYS = AS_IT_IS, PACKED, SSH = "as it is", "packed where it pays", "by OpenSSH"


@dataclass
class Packed:
    """Seconds down, and of the whole."""

    link: str
    contents: str
    way: str
    downtime: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


def measure(link: str, contents: str, work: Path, *, rounds: int, ways: Sequence[str] = WAYS) -> list[Packed]:
    """These ways over a link, in turn."""
    found = [Packed(link, contents, way) for way in ways]
    program = work / "records"
    if not program.with_name("records.x86_64").exists():
        run([COMPILER, "-O2", "-o", program, SOURCE / "tests/benchmarks/records.c"])
    with ExitStack() as stack, log.step(f"{contents}, {link}"):
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=work)))
        places = {} if link == "no limit" else stack.enter_context(limited(link))
        machines = stack.enter_context(NativeNodes(directory / "nodes", Setting(places=places, exchange="")))
        words = [str(program), str(LINKS[link]), *CONTENTS[contents]]
        bench = Bench(machines, directory, Program(words))
        stack.callback(bench.close)
        for _ in range(rounds):
            for one in found:
                migration = bench.migration(Options())
                with _way(one.way, bench):
                    begin = time.perf_counter()
                    hop = migration.run()
                one.whole.append(time.perf_counter() - begin)
                one.downtime.append(hop.downtime)
                log.note(f"{one.way}: down {hop.downtime:.2f} s")
    return found


@contextmanager
def _way(way: str, bench: Bench) -> Iterator[None]:
    """Before the connections are made."""
    for node in bench.nodes.values():
        node.description = replace(node.description, compression=way == SSH)
    with ExitStack() as stack:
        if way == AS_IT_IS:
            stack.enter_context(patch.object(Node, "packs", lambda node, other: False))
        yield

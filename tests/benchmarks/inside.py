# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program with one large file, of which one page in a hundred is written after it went ahead, over links of known rates: when
it stands, what is different inside the file goes, or the whole file, in turn.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.benchmarks.links import limited
from tests.benchmarks.moving import compiled
from tests.benchmarks.native import Bench
from tests.native.nodes import NativeNodes, Setting
from transproc import log
from transproc.cluster.events import Silent
from transproc.cluster.place import Place
from transproc.cluster.placed import PlacedFiles
from transproc.cluster.start import Program
from transproc.log import Step
from transproc.process.answers import Difference

LINKS, MEGABYTES, PERCENT = ("1gbit", "100mbit"), 512, 1
WAYS = {"what is different": True, "the whole file": False}
_CHANGE = """
import os, random, sys
with open("large", "r+b") as file:
    for page in random.sample(range(int(sys.argv[1]) << 8), (int(sys.argv[1]) << 8) * int(sys.argv[2]) // 100):
        os.pwrite(file.fileno(), os.urandom(100), page << 12)
"""


@dataclass
class Inside:
    """Seconds down, and bytes that went, ahead and then."""

    link: str
    way: str
    downtime: list[float] = field(default_factory=list)
    bytes: int = 0


class _Changing(Silent):
    """Changes the file when it has gone ahead."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        with super().step(name) as step:
            yield step
        if name == "files":
            words = ["python3", "-c", _CHANGE, str(MEGABYTES), str(PERCENT)]
            _in_work(self._bench.place(self._bench.job), '"$@"', *words)


def _in_work(place: Place, script: str, *words: str) -> None:
    place.node.run(["sh", "-c", f'cd "$0" && {script}', f"{place.data}/work", *words], timeout=600)


def measure(link: str, work: Path, *, rounds: int) -> list[Inside]:
    """Both ways over a link, in turn."""
    found = [Inside(link, way) for way in WAYS]
    program, changes = compiled(work), PlacedFiles.changes

    def whole(files: PlacedFiles, *, patches: bool) -> Difference:
        return changes(files, patches=False)

    with ExitStack() as stack, log.step(f"inside of a file, {link}"):
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=work)))
        places = stack.enter_context(limited(link))
        machines = stack.enter_context(NativeNodes(directory / "nodes", Setting(places=places, exchange="")))
        bench = Bench(machines, directory, Program([str(program), "4", "10"]))
        stack.callback(bench.close)
        _in_work(bench.place(bench.job), 'head -c "$1" /dev/urandom >large', str(MEGABYTES << 20))
        for _ in range(rounds):
            for one in found:
                migration = bench.migration(events=_Changing(bench))
                with ExitStack() as inner:
                    if not WAYS[one.way]:
                        inner.enter_context(patch.object(PlacedFiles, "changes", whole))
                    hop = migration.run()
                one.downtime.append(hop.downtime)
                one.bytes = hop.bytes_sent
                log.note(f"{one.way}: down {hop.downtime:.2f} s, {hop.bytes_sent / 1e6:.0f} MB")
    return found

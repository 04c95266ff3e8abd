# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations as their user would ask for them: in this process, or in one of its own that says when each step begins and ends."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from tests.native.faults import END, LAZY, MOVES, PAGES, PLAN, PRECOPY, RESTART
from transproc.automation.plans import planning, reading
from transproc.automation.plans.checked import Checked
from transproc.automation.plans.executor import Outcome
from transproc.binary.pair import PairStore
from transproc.cluster import files, operations, preflight
from transproc.cluster.events import Silent
from transproc.cluster.job import Job
from transproc.cluster.node import SshNode, read
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.errors import TransprocError
from transproc.host import Host
from transproc.images.directory import ImageDirectory
from transproc.isa import by_name
from transproc.log import Step
from transproc.process.criu import Options
from transproc.transform import pipeline

NAME = "steady"
_OWING = Options(lazy=True, rate=200_000)
"""Its memory, half a megabyte, takes longer than its user needs to be struck."""
_OPTIONS = {
    PAGES: Options(rate=2_000_000),
    LAZY: _OWING,
    PRECOPY: Options(precopy=True, rate=2_000_000),
}


class Telling(Silent):
    """Says when steps begin and end, and waits until that has been heard."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """As `Events` says."""
        self._say(name, False)
        with super().step(name) as step:
            yield step
        self._say(name, True)

    def _say(self, name: str, after: bool) -> None:
        self._line.send((name, after))
        self._line.recv()


def perform(operation: str, state: Path, configuration: Path, kept: Path, line: Connection) -> None:
    """The process in which the operation is done; its last word is what became of it. SIGUSR1: it says where it is."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    context = context_of(state, nodes_of(configuration), Telling(line))
    try:
        if operation in MOVES:
            if operation == PAGES:
                preflight.LARGE = 0  # bytes: it is large
            if operation in (PAGES, LAZY, PRECOPY):
                preflight.WATCHED = 0  # what is asked of its mappings is told before
            if operation == PRECOPY:
                files.LARGE = 0  # so are its files
            operations.migrate(context, NAME, "nb", options=_OPTIONS.get(operation))
        elif operation == RESTART:
            operations.restart(context, kept, "nb", name=NAME)
        elif operation == PLAN:
            outcome = _carry_out(context, configuration)
            line.send("done" if outcome.result == "done" else outcome.text)
            return
        else:
            operations.checkpoint(context, NAME, end=operation == END)
        line.send("done")
    except TransprocError as error:
        line.send(error.message)


PLANNED = """
sequence.main = [{pause = "steady"}, {dump = "steady"}, {transform = "steady", to = "nb"}, {ship = "steady", to = "nb"},
  {restore = "steady", to = "nb", stopped = true}, {resume = "steady"}]
[jobs.steady]
"""


def _carry_out(context: Context, configuration: Path) -> Outcome:
    """A plan that takes each step by hand."""
    os.environ["TRANSPROC_NODES"] = str(configuration)
    source = reading.parse(Path("steady.toml"), PLANNED)
    checked = Checked(planning.read(source)[0], {"nb": "nb"}, [])
    return planning.carry_out(checked, Host(context.store), context)[1]


def start(state: Path, configuration: Path, program: Path, line: Connection) -> None:
    """The process that starts the job."""
    with contextlib.suppress(TransprocError, EOFError, OSError):
        operations.run(
            context_of(state, nodes_of(configuration), Telling(line)),
            Program([str(program)]),
            "na",
            name=NAME,
        )


def context_of(state: Path, nodes: dict[str, SshNode], events: Silent | None = None) -> Context:
    """Operations between these nodes."""

    def places(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    return Context(JobStore(state), places, pipeline.carry, events or Silent(), nodes=lambda: list(nodes))


@contextmanager
def clearing(state: Path, nodes: dict[str, SshNode]) -> Iterator[Context]:
    """As `context_of`; in the end no job is left."""
    context = context_of(state, nodes)
    yield context
    for name in context.store.names():
        operations.discard(context, name)


def begun(context: Context, name: str, argv: Sequence[str | Path], node: str = "na") -> Place:
    """A program that has been started on a node, and has printed something."""
    operations.run(context, Program([str(word) for word in argv]), node, name=name)
    place = context.places(context.store.load(name))
    while not place.read("stdout"):
        time.sleep(0.01)
    return place


def expect_right(context: Context, name: str, node: str) -> None:
    """The program of changing.c runs there, and its memory is what it has written."""
    place = context.places(context.store.load(name), node)
    place.node.put_bytes(b"", f"{place.data}/work/go")
    job = wait(context.store, name, context.places, 30)
    assert (job.exit, job.node) == ("status 0", node)
    assert place.read("stdout").decode() == "filled\nright\n"


def onto_itself(source: Path, target: Path, *, pairs: PairStore, to: str) -> pipeline.TransformReport:
    """As for another ISA: the program goes on by records."""
    target.mkdir()
    work = pipeline._ToOtherIsa(ImageDirectory(source), target, pairs, by_name(to))
    work.run()
    return work.report


def nodes_of(configuration: Path) -> dict[str, SshNode]:
    """By name; not connected yet."""
    return {node.name: node for node in read(configuration)}


def expected(count: int) -> str:
    """What `steady` prints in so many rounds."""
    words = 1 << 15
    first = words * (words - 1) // 2
    return "".join(f"{n} {n * n + 1} {first + n + 1}\n" for n in range(count))

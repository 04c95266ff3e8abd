# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How long a round of a policy takes, and how much memory: with nodes that are simulated (`agents.py`) but spoken to over the
real protocol, records that are real, and no migration.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.writers.program import program
from transproc import log
from transproc.automation.policies import Policies, Policy, parse
from transproc.cluster.base import Node
from transproc.cluster.description import Description
from transproc.cluster.job import Job, State
from transproc.cluster.session import Session
from transproc.cluster.store import JobStore
from transproc.errors import NodeError
from transproc.host import Host

SIZES = ((100, 1000), (1000, 10_000))
"""Nodes and jobs."""
ISAS = ("x86_64", "aarch64")
LIMITS = '[limits]\nat_once = 16\nan_hour = 100000\ncool_down = "10m"\n'
RULES = {
    "evacuate": 'kind = "evacuate"\nnodes = "old"\n',
    "keep": 'kind = "keep"\nnodes = "aarch64"\n',
    "balance": 'kind = "balance"\n',
    "price": 'kind = "price"\ncheap = "aarch64"\nfast = "x86_64"\n',
    "spread": 'kind = "spread"\n',
}
POLICIES = {
    **{kind: f"{LIMITS}[[rule]]\n{rule}" for kind, rule in RULES.items()},
    "all five": LIMITS + "".join(f"[[rule]]\n{rule}" for rule in RULES.values()),
}


@dataclass
class Round:
    """Seconds of looking at nodes and records, of evaluating one policy then, and of the processor for both; bytes of memory
    of this process with its connections. Medians.
    """

    nodes: int
    jobs: int
    connect: float
    look: float
    processor: float
    threads: int
    memory: int
    moves: dict[str, int]
    seconds: dict[str, float]
    writes: float = 0.0
    """Changes of a job's record a second, each on the disk."""
    everything: list[float] = field(default_factory=list)


class Connection:
    """To a simulated node: as `cluster.connection.Connection`, behind a socket instead of a process."""

    def __init__(self, path: Path, name: str, isa: str, jobs: list[str]) -> None:
        self.name, self.isa, self.tool = name, isa, "/tool"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.sendall(f"{name} {isa} 4 {' '.join(jobs)}\n".encode())
        self.stdin = self._socket.makefile("wb")
        self.stdout = self._socket.makefile("rb")

    def lost(self) -> NodeError:
        return NodeError(self.name, "gone")

    def end(self, grace: float) -> int:
        self._socket.shutdown(socket.SHUT_RDWR)
        return 0

    def close(self, grace: float = 0) -> None:
        self._socket.close()


class Simulated(Node):
    """A node of `agents`."""

    def __init__(self, path: Path, name: str, isa: str, jobs: list[str], labels: frozenset[str]) -> None:
        super().__init__(name, Description(labels, None, 1.0 if isa == "x86_64" else 0.2))
        self._words = (path, name, isa, jobs)

    @property
    def session(self) -> Session:
        with self._opening:
            if self._session is None:
                self._session = Session(Connection(*self._words))  # type: ignore[arg-type]
            return self._session

    def command(self, script: str, *, leads: bool = False) -> list[str]:
        raise AssertionError

    def explain(self, booted: bool, errors: str) -> NodeError:
        raise AssertionError


class SimulatedHost(Host):
    """Knows the simulated nodes alone."""

    def __init__(self, store: JobStore, nodes: dict[str, Node]) -> None:
        super().__init__(store)
        self._nodes = nodes

    def _read(self) -> None:
        """There is no list that could change."""


def measure(directory: Path, nodes: int, jobs: int, *, rounds: int) -> Round:
    """Everything of one size."""
    names = [f"n{number:04}" for number in range(nodes)]
    held: dict[str, list[str]] = {name: [] for name in names}
    for number in range(jobs):  # a tenth of the nodes has a third of the jobs
        held[names[number % (nodes // 10) if number % 3 == 0 else number % nodes]].append(f"job-{number:05}")
    store = _records(directory, held)
    path = directory / "agents"
    with _agents(path), log.step(f"{nodes} nodes, {jobs} jobs"):
        made: dict[str, Node] = {}
        for number, (name, there) in enumerate(held.items()):
            labels = frozenset({"old"} if number % 20 == 0 else ())
            made[name] = Simulated(path, name, ISAS[number % 2], there, labels)
        host = SimulatedHost(store, made)
        begin = time.perf_counter()
        for node in made.values():
            _ = node.session
        connect = time.perf_counter() - begin
        found = _rounds(host, rounds)
        found.connect, found.writes = connect, _writes(store)
        found.nodes, found.jobs = nodes, jobs
        host.close()
    return found


def _rounds(host: Host, rounds: int) -> Round:
    moves, seconds, look, processor, everything = {}, {}, [], [], []
    for name, text in POLICIES.items():
        policies = Policies(host, parse(text), act=lambda job, node: None)
        policies.decide()  # the first one reads programs and all records
        times = []
        for _ in range(rounds):
            begin, used = time.perf_counter(), time.process_time()
            situation, fits = policies.look()
            middle = time.perf_counter()
            moves[name] = len(_evaluated(policies.policy, situation, fits))
            end = time.perf_counter()
            look.append(middle - begin)
            times.append(end - middle)
            processor.append(time.process_time() - used)
            everything.append(end - begin)
        seconds[name] = statistics.median(times)
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    threads = len(list(Path("/proc/self/task").iterdir()))
    return Round(
        0, 0, 0.0, statistics.median(look), statistics.median(processor), threads, memory, moves, seconds,
        everything=everything,
    )  # fmt: skip


def _evaluated(policy: Policy, situation: object, fits: object) -> list[object]:
    from transproc.automation.policies import evaluate

    return list(evaluate(policy, situation, fits).moves)  # type: ignore[arg-type]


def _records(directory: Path, held: dict[str, list[str]]) -> JobStore:
    """Jobs that run, all of one pair of programs."""
    store = JobStore(directory / "state")
    pair = directory / "one" / "pair"
    pair.mkdir(parents=True)
    for isa in ISAS:
        (pair / f"prog.{isa}").write_bytes(program(isa))
    first = Job("first", "n0000", ["prog"], state=State.RUNNING)
    store.create(first)
    for node, jobs in held.items():
        for name in jobs:
            (directory / "state/jobs" / name).symlink_to(directory / "one")
            store.save(Job(name, node, ["prog"], state=State.RUNNING))
    store.remove("first")
    return store


def _writes(store: JobStore) -> float:
    """How many records a second can be changed."""
    names = store.names()[:300]
    jobs = [store.load(name) for name in names]
    begin = time.perf_counter()
    for job in jobs:
        store.save(job)
    return len(jobs) / (time.perf_counter() - begin)


@contextmanager
def _agents(path: Path) -> Iterator[None]:
    words = [sys.executable, "-m", "tests.benchmarks.agents", str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        yield
        process.stdin.close()

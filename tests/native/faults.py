# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Faults: whatever is killed or full, at whatever moment of a migration, one copy goes on, and `recover` leaves nothing behind.

A migration runs in a process of its own and says when each step begins and ends; there the fault strikes. Afterwards `recover` is
called, as its user would, and the world is looked at: exactly one copy of the program, which runs; its output and its file
without a gap or a line twice; nothing of the job on the other node, no images anywhere; and the name is free, since the next
fault uses it again.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.native.nodes import NativeNodes
from transproc.cluster import operations
from transproc.cluster.events import Silent
from transproc.cluster.job import Job, State
from transproc.cluster.migration import Phase
from transproc.cluster.node import DATA, SshNode, read
from transproc.cluster.operations import Context
from transproc.cluster.place import Liveness, Place
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.errors import TransprocError
from transproc.log import Step
from transproc.run import run
from transproc.transform import pipeline

NAME = "steady"
SIGTRAP = "signal 5"
LOST = "the program died with its tracer"
SECONDS = 30.0
"""For anything that takes a moment."""


_THREADS = """
for t in /proc/[0-9]*/task/*; do
  case $(readlink "$t/exe") in "$1"/bin/*) ;; *) continue ;; esac
  echo "$t" $(grep -E "^(State|SigPnd|ShdPnd|SigBlk|TracerPid)" "$t/status") $(cat "$t/wchan" "$t/syscall")
done
"""


@dataclass(frozen=True)
class Fault:
    """`what` happens to `whom` when a step begins, or has ended (`after`); `delay` in seconds after that.

    `what`: killed, or full (of a disk). `whom`: command, criu, pause tool, connection to source or target; host, source, target.
    """

    what: str
    whom: str
    step: str
    after: bool = False
    delay: float = 0.0

    @property
    def fatal(self) -> bool:
        """A tracer is killed that has code or breakpoints of its own in the program: a trap that it does not see is the end."""
        return (self.whom, self.step) in (("criu", "dump"), ("pause tool", "pause"))

    def __str__(self) -> str:
        late = f" + {1000 * self.delay:.0f} ms" if self.delay else ""
        return f"{self.whom} {self.what} {'after' if self.after else 'at'} {self.step}{late}"


def faults() -> list[Fault]:
    """All that are tried."""
    steps = [str(phase) for phase in Phase]
    busy = ("prepare", "pause", "dump", "ship", "restore", "retire")
    return [
        *(Fault("killed", "command", step, after) for step in steps for after in (False, True)),
        *(Fault("killed", "command", step, delay=0.01) for step in busy),
        *(
            Fault("killed", "criu", step, delay=delay)
            for step in ("dump", "restore")
            for delay in (0.0, 0.02)
        ),
        *(Fault("killed", "pause tool", "pause", delay=delay) for delay in (0.0, 0.002)),
        *(Fault("killed", "pause tool", step) for step in ("restore", "verify", "resume", "retire")),
        *(Fault("killed", "source connection", step, delay=0.01) for step in ("pause", "dump", "fetch")),
        *(Fault("killed", "source connection", step) for step in ("ship", "retire")),
        *(Fault("killed", "target connection", step, delay=0.01) for step in ("prepare", "ship", "restore")),
        *(Fault("killed", "target connection", step) for step in ("restore", "resume")),
        *(Fault("full", "host", step) for step in ("pause", "fetch", "restore", "resume", "retire")),
        *(Fault("full", "source", step) for step in ("pause", "dump")),
        *(Fault("full", "target", step) for step in ("prepare", "ship", "restore")),
    ]


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


def _migrate(state: Path, configuration: Path, target: str, line: Connection) -> None:
    """The process that migrates; its last word is what became of it."""
    context = context_of(state, nodes_of(configuration), Telling(line))
    try:
        operations.migrate(context, NAME, target)
        line.send("done")
    except TransprocError as error:
        line.send(error.message)


def _start(state: Path, configuration: Path, program: Path, line: Connection) -> None:
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


def nodes_of(configuration: Path) -> dict[str, SshNode]:
    """By name; not connected yet."""
    return {node.name: node for node in read(configuration)}


class Harness:
    """Two nodes, a program, and a state directory of its own, on a file system that can be full."""

    def __init__(self, machines: NativeNodes, program: Path, directory: Path) -> None:
        self.machines = machines
        self.program = program
        self.state = directory / "state"
        self.state.mkdir()
        run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.state])
        self.nodes = nodes_of(machines.configuration)
        self.context = context_of(self.state, self.nodes)
        self.store = self.context.store
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(
            ["tests.native.faults", "asyncssh", "transproc.transform.pipeline"]
        )

    def close(self) -> None:
        """Nothing stays."""
        for node in self.nodes.values():
            node.close()
        run(["umount", "-l", self.state])

    def check(self, fault: Fault) -> str:
        """Lets one fault happen; returns what the migration said, "killed", or LOST. Raises AssertionError if all is not well."""
        program = Program([str(self.program)])
        operations.run(self.context, program, "na", name=NAME)
        try:
            outcome = self._disturbed(fault)
            self._recover()
            if fault.fatal and self.store.load(NAME).exit == SIGTRAP:
                return LOST
            self._look()
            self._finish()
        finally:
            operations.kill(self.context, NAME, remove=True)
        for name in self.nodes:
            assert self._remains(name) == [], f"on {name} after its removal"
        assert self.store.names() == [] and list((self.state / "jobs").iterdir()) == []
        return outcome

    def check_start(self, delay: float) -> str:
        """Kills a command that starts the program, so many seconds after it began; returns what `recover` made of it."""
        here, there = self._processes.Pipe()
        process = self._processes.Process(
            target=_start, args=(self.state, self.machines.configuration, self.program, there)
        )
        process.start()
        here.recv()
        here.send("go on")
        time.sleep(delay)
        process.kill()
        process.join()
        here.close()
        there.close()
        self._recover()
        outcome = "nothing is left"
        if self.store.names():
            self._look()
            self._finish()
            operations.kill(self.context, NAME, remove=True)
            outcome = "it runs"
        assert self._remains("na") == [] and list((self.state / "jobs").iterdir()) == []
        return outcome

    def _disturbed(self, fault: Fault) -> str:
        """A migration during which the fault happens."""
        here, there = self._processes.Pipe()
        process = self._processes.Process(
            target=_migrate, args=(self.state, self.machines.configuration, "nb", there)
        )
        process.start()
        there.close()
        with contextlib.ExitStack() as stack:
            stack.callback(process.join)
            stack.callback(here.close)
            struck, word = False, "killed"
            with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
                while isinstance(said := here.recv(), tuple):
                    strikes = said == (fault.step, fault.after) and not struck
                    if strikes and not fault.delay and fault.whom not in ("criu", "pause tool"):
                        stack.enter_context(self._strike(fault, process.pid or 0))
                        struck = True
                    here.send("go on")
                    if strikes and not struck:
                        stack.enter_context(self._strike(fault, process.pid or 0))
                        struck = True
                word = said
            assert struck, f"{fault} did not happen: {word}"
            return word

    @contextmanager
    def _strike(self, fault: Fault, command: int) -> Iterator[None]:
        if fault.what == "full":
            with self._full(fault.whom):
                yield
            return
        if fault.whom == "command":
            time.sleep(fault.delay)
            os.kill(command, signal.SIGKILL)
        elif fault.whom.endswith("connection"):
            time.sleep(fault.delay)
            node = "na" if fault.whom.startswith("source") else "nb"
            for pid in self._found(node, lambda words: words[0].startswith("sshd: root@notty")):
                kill(pid)
        else:
            self._kill_when_there(fault)
        yield

    def _kill_when_there(self, fault: Fault) -> None:
        """criu or the pause tool, as soon as it is there; a step that does not need it is left alone."""
        wanted = _is_criu if fault.whom == "criu" else _is_tool
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            if pids := [pid for node in self.nodes for pid in self._found(node, wanted)]:
                time.sleep(fault.delay)
                kill(min(pids))  # what criu restores is criu for a while
                return

    @contextmanager
    def _full(self, whom: str) -> Iterator[None]:
        if whom == "host":
            used = os.statvfs(self.state)
            size = (used.f_blocks - used.f_bfree) * used.f_frsize
            run(["mount", "-o", f"remount,size={size // 1024}k", self.state])
            try:
                yield
            finally:
                run(["mount", "-o", "remount,size=64m", self.state])
            return
        node = self.nodes["na" if whom == "source" else "nb"]
        script = "used=$(df -Pk $1 | sed -n '2s/^[^ ]* *[0-9]* *\\([0-9]*\\) .*/\\1/p'); mount -o remount,size=$((used + 8))k $1"
        node.run(["sh", "-c", script, "sh", str(DATA)])
        try:
            yield
        finally:
            node.run(["mount", "-o", "remount,size=256m", str(DATA)])

    def _recover(self) -> None:
        """As `transproc recover` does."""
        for name in self.store.names():
            operations.recover(self.context, name)
        assert operations.sweep(self.context) == [], "of a job whose record is there nothing is without one"

    def _look(self) -> None:
        """One copy, which runs where its record says; nothing of it elsewhere."""
        job = self.store.load(NAME)
        copies = [(name, pid) for name in self.nodes for pid in self.context.places(job, name).found()]
        assert copies == [(job.node, job.pid)], f"copies: {copies}, recorded: {job}"
        assert self.context.places(job).liveness(job.pid) is Liveness.RUNNING
        assert (job.state, job.target, job.leftovers) == (State.RUNNING, None, [])
        assert self.store.unsettled(job) is None
        other = next(name for name in self.nodes if name != job.node)
        assert self._remains(other) == [], f"on {other}"
        assert not self.store.move(NAME).exists()

    def _remains(self, node: str) -> list[str]:
        script = 'cd "$1" && find . -mindepth 1 || true'
        listed = self.nodes[node].output(["sh", "-c", script, "sh", str(DATA / "jobs")]).split()
        busy = self._found(node, lambda words: _is_criu(words) or _is_tool(words))
        return [*listed, *(f"process {pid}" for pid in busy)]

    def _finish(self) -> None:
        """The program comes to its end, and has written each line once."""
        job = self.store.load(NAME)
        place = self.context.places(job)
        before = self._lines(place)
        until = time.monotonic() + SECONDS
        while self._lines(place) < before + 3:
            assert time.monotonic() < until, f"no progress on {job.node}:\n{self._threads(job)}"
            time.sleep(0.01)
        place.node.run(["touch", f"{place.data}/work/stop"])
        job = wait(self.store, NAME, self.context.places, SECONDS)
        assert job.exit == "status 0", job.exit
        stdout = place.read("stdout").decode()
        count = stdout.count("\n") - 1
        assert count > before
        assert stdout == expected(count) + "end\n"
        assert place.node.get_bytes(f"{place.data}/work/lines").decode() == expected(count)

    def _threads(self, job: Job) -> str:
        """What the kernel says of the program's threads."""
        place = self.context.places(job)
        return place.node.output(["sh", "-c", _THREADS, "sh", place.directory])

    def _lines(self, place: Place) -> int:
        return place.read("stdout").count(b"\n")

    def _found(self, node: str, wanted: Callable[[list[str]], bool]) -> list[int]:
        """Processes of a node, by their command lines, as this machine numbers them."""
        space = _space(children(self.machines.machines[node].process.pid)[0])
        found = []
        for path in Path("/proc").iterdir():
            if not path.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if (
                    wanted(words)
                    and _space(int(path.name)) == space
                    and not (_is_tool(words) and _supervises(path))
                ):
                    found.append(int(path.name))
        return found


def _is_criu(words: list[str]) -> bool:
    return any(word.endswith("/criu") for word in words) and bool({"dump", "restore"} & set(words))


def _is_tool(words: list[str]) -> bool:
    return "transproc-stop" in words[0] and len(words) > 1 and words[1] not in ("serve", "channel")


def _supervises(path: Path) -> bool:
    """The pause tool stays as a supervisor: of the standard streams nothing is left."""
    return str((path / "fd/1").readlink()) == "/dev/null"


def _space(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/pid").readlink())


def children(pid: int) -> list[int]:
    """Of a process."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill(pid: int) -> None:
    """One that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def expected(count: int) -> str:
    """What `steady` prints in so many rounds."""
    words = 1 << 15
    first = words * (words - 1) // 2
    return "".join(f"{n} {n * n + 1} {first + n + 1}\n" for n in range(count))


def report(outcomes: Iterable[tuple[Fault, str]]) -> str:
    """A table for docs/reliability.md: what was done, how often, and what became of the job."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for fault, outcome in outcomes:
        counts[f"{fault.whom}: {fault.what}"][_in_short(outcome)] += 1
    lines = ["| fault | times | what became of the job |", "|---|---|---|"]
    for name, found in counts.items():
        words = ", ".join(f"{what} {count}" for what, count in found.most_common())
        lines.append(f"| {name} | {found.total()} | {words} |")
    return "\n".join(lines)


def _in_short(outcome: str) -> str:
    if outcome in ("killed", LOST):
        return {"killed": "settled by `recover`", LOST: LOST}[outcome]
    if outcome == "done":
        return "moved all the same"
    return "runs on the target" if "runs on nb" in outcome else "stayed on the source, and said so"

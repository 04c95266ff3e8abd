# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lets faults happen to operations on native nodes, calls `recover` as their user would, and looks at the world.

Afterwards there is exactly one copy of the program, which runs, or none where none may be; its output and its file without a
gap or a line twice; nothing of the job anywhere else, no images, no drafts; what is called a checkpoint is whole; and the name is
free, since the next fault uses it again.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.deadline import LateError, deadline
from tests.native import memory
from tests.native.faults import (
    CHECKPOINT,
    END,
    LAZY,
    MOVES,
    PAGES,
    PLAN,
    PRECOPY,
    RESTART,
    Fault,
)
from tests.native.nodes import NativeNodes
from tests.native.wire import Wire
from transproc.automation.plans import planning, reading, recover
from transproc.automation.plans.checked import Checked
from transproc.automation.plans.executor import Outcome
from transproc.cluster import checkpoints, files, operations, passing, preflight
from transproc.cluster.events import Silent
from transproc.cluster.history import Reader
from transproc.cluster.job import Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.node import DATA, SshNode, read
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.errors import BusyError, TransprocError
from transproc.host import Host
from transproc.log import Step
from transproc.process.criu import Options
from transproc.run import run
from transproc.transform import pipeline

NAME = "steady"
SECONDS = 30.0
"""For anything that takes a moment."""
CASE_SECONDS = 300.0
"""For one fault, from the program's start to its end: they take 3 s to 60 s on a machine that has other work."""


_THREADS = """
for t in /proc/[0-9]*/task/*; do
  case $(readlink "$t/exe") in "$1"/bin/*) ;; *) continue ;; esac
  echo "$t" $(grep -E "^(State|SigPnd|ShdPnd|SigBlk|TracerPid)" "$t/status") $(cat "$t/wchan" "$t/syscall")
done
"""


_OWING = Options(lazy=True, rate=200_000)
"""Its memory, half a megabyte, takes longer than its user needs to be struck."""
_OPTIONS = {LAZY: _OWING, PRECOPY: Options(precopy=True, rate=2_000_000)}


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


def nodes_of(configuration: Path) -> dict[str, SshNode]:
    """By name; not connected yet."""
    return {node.name: node for node in read(configuration)}


class Harness:
    """Two nodes, a program, and a state directory of its own, on a file system that can be full."""

    def __init__(self, machines: NativeNodes, program: Path, directory: Path) -> None:
        self.machines = machines
        self.program = program
        self.seconds = CASE_SECONDS
        self.state = directory / "state"
        self.state.mkdir()
        run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.state])
        self.wires = {name: Wire(machine.port) for name, machine in machines.machines.items()}
        self.configuration = machines.configuration.with_name(
            "wires.toml"
        )  # the operations' way to the nodes
        text = machines.configuration.read_text()
        for name, wire in self.wires.items():
            text = text.replace(f"port = {machines.machines[name].port}\n", f"port = {wire.port}\n")
        self.configuration.write_text(text)
        self.nodes = nodes_of(machines.configuration)
        self.context = context_of(self.state, self.nodes)
        self.store = self.context.store
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(
            ["tests.native.harness", "asyncssh", "transproc.transform.pipeline"]
        )

    def close(self) -> None:
        """Nothing stays."""
        for node in self.nodes.values():
            node.close()
        for wire in self.wires.values():
            wire.close()
        run(["umount", "-l", self.state])

    def check(self, fault: Fault) -> str:
        """Lets one fault happen; returns in short what became of the job. Raises AssertionError if all is not well."""
        try:
            with deadline(self.seconds, fault):
                return self._check(fault)
        finally:
            with deadline(CASE_SECONDS, f"removal after {fault}"):
                self._clear()

    def _check(self, fault: Fault) -> str:
        if fault.operation == RESTART:
            _ = self.kept
        else:
            operations.run(self.context, Program([str(self.program)]), "na", name=NAME)
        word = self._disturbed(fault)
        self._expect_cause(fault, word)
        if self._is_lost(fault):
            return "lost with what its node still held, and said so"
        self._recover()
        return self._outcome(fault, word)

    def check_again(self, fault: Fault, times: int) -> Counter[str]:
        """Lets a fault of a migration happen to one and the same program, which is brought back if it went; what became of it."""
        became = Counter[str]()
        operations.run(self.context, Program([str(self.program)]), "na", name=NAME)
        try:
            for number in range(times):
                with deadline(self.seconds, f"{fault}, {number}"):
                    word = self._disturbed(fault)
                    self._recover()
                    self._look()
                    job = self.store.load(NAME)
                    became[_in_short(fault, word, job)] += 1
                    self._await_progress(job)
                    if job.node == "nb":
                        operations.migrate(self.context, NAME, "na")
            self._finish()
        finally:
            self._clear()
        return became

    @cached_property
    def kept(self) -> Path:
        """A checkpoint of the program, from which it is restarted again and again."""
        operations.run(self.context, Program([str(self.program)]), "na", name=NAME)
        found = operations.checkpoint(self.context, NAME, self.state.parent / "kept", end=True)
        operations.kill(self.context, NAME, remove=True)
        return found.path

    def steps(self, operation: str) -> list[str]:
        """All that an operation tells, undisturbed."""
        fault = Fault("listened to", "command", "", operation=operation)
        told: list[str] = []
        if operation == RESTART:
            _ = self.kept
        else:
            operations.run(self.context, Program([str(self.program)]), "na", name=NAME)
        try:
            assert self._disturbed(fault, told) == "done"
            self._recover()
            self._outcome(fault, "done")
        finally:
            self._clear()
        return told

    def _expect_cause(self, fault: Fault, word: str) -> None:
        """What has failed is recorded beside its step, if it can be."""
        if (
            word in ("killed", "done")
            or (fault.whom, fault.what) == ("host", "full")
            or fault.operation == PLAN
        ):
            return
        attempts = Reader(self.store.path).attempts(NAME, 1)
        last = attempts[0].steps[-1] if attempts and attempts[0].steps else None
        assert last is None or last.seconds is not None or last.detail, (word, attempts)

    def _is_lost(self, fault: Fault) -> bool:
        """A program that waits for what no node has any more: `recover` says so, and `kill` ends it."""
        if not fault.loses_pages or self.store.load(NAME).state is not State.OWING:
            return False
        try:
            operations.recover(self.context, NAME)
        except TransprocError as error:
            assert "transproc kill" in f"{error.message} {error.hint}", error
            return True
        return False

    def _outcome(self, fault: Fault, word: str) -> str:
        """What became of the job, which is looked at, and of its checkpoint."""
        made = self._checkpoints()
        if NAME not in self.store.names():
            assert fault.operation == RESTART and word != "done"
            assert [self._remains(name) for name in self.nodes] == [[], []]
            return f"nothing was left{_by(word)}"
        job = self.store.load(NAME)
        if job.state is not State.EXITED:
            self._look()
            self._finish()
            return _in_short(fault, word, job)
        copies = [pid for name in self.nodes for pid in self.context.places(job, name).found()]
        assert copies == [] and (job.exit == "checkpoint" or fault.loses), (word, job)
        lost = "" if job.exit == "checkpoint" else "lost with its node"
        if job.exit == "checkpoint" or made:
            operations.restart(self.context, made[-1], "nb")
            self._finish()
            return f"{lost}{', but ' if lost else ''}restarted from its checkpoint{_by(word)}"
        return lost

    def _checkpoints(self) -> list[Path]:
        """Those of the job, all of them whole; of others nothing is left."""
        place = self.state / "checkpoints"
        found = checkpoints.listed(place, NAME)
        assert sorted(found) == (sorted(place.iterdir()) if place.exists() else [])
        for path in [*found, *([self.kept] if "kept" in self.__dict__ else [])]:
            checkpoints.verify(checkpoints.read(path))
        return found

    def _clear(self) -> None:
        """The job is removed, and nothing is left of it."""
        operations.discard(self.context, NAME)
        shutil.rmtree(self.state / "checkpoints", ignore_errors=True)
        operations.sweep(self.context)  # an earlier life of the job has left its output
        for name in self.nodes:
            remains = self._remains(name)
            assert not remains, f"{name}, after its removal: {remains}"
        assert self.store.names() == [] and list((self.state / "jobs").iterdir()) == []

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

    def _disturbed(self, fault: Fault, told: list[str] | None = None) -> str:
        """The operation, during which the fault happens; returns what it said, or "killed". `told` gets its steps' names."""
        here, there = self._processes.Pipe()
        kept = self.kept if fault.operation == RESTART else Path()
        process = self._processes.Process(
            target=perform, args=(fault.operation, self.state, self.configuration, kept, there)
        )
        process.start()
        there.close()
        with contextlib.ExitStack() as stack:
            stack.callback(process.join)
            stack.callback(here.close)
            stack.push(lambda kind, *_: kind is LateError and _end(process.pid or 0))
            struck, word = told is not None, "killed"
            with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
                while isinstance(said := here.recv(), tuple):
                    if told is not None and not said[1]:
                        told.append(said[0])
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
            # A program that goes on before the fault has ended needs room for what it prints; an image needs more.
            with self._full(fault.whom, 8 if fault.step == "files" else 200):
                yield
            return
        if fault.what == "short":
            found = self._found(_node(fault.whom), lambda words: True, supervisors=True)
            with memory.short([pid for pid in found if pid not in self._own(_node(fault.whom))]):
                yield
            return
        if fault.what == "asked again":
            with pytest.raises(BusyError, match="is working on it"):
                operations.migrate(self.context, NAME, "nb")
        elif fault.whom == "command":
            time.sleep(fault.delay)
            os.kill(command, signal.SIGSTOP if fault.what == "stopped" else signal.SIGKILL)
        elif fault.whom.endswith("network"):
            time.sleep(fault.delay)
            with getattr(self.wires[_node(fault.whom)], fault.what)():
                yield
            return
        elif fault.loses:
            time.sleep(fault.delay)
            self._reboot(_node(fault.whom), wipe=fault.what == "wiped")
        elif fault.whom.endswith("connection"):
            time.sleep(fault.delay)
            node = _node(fault.whom)
            for pid in self._found(node, lambda words: words[0].startswith("sshd: root@notty")):
                kill(pid)
        else:
            self._kill_when_there(fault)
        yield

    def _kill_when_there(self, fault: Fault) -> None:
        """criu or the pause tool, as soon as it is there; a step that does not need it is left alone."""
        wanted = is_criu if fault.whom == "criu" else is_tool
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            if pids := [pid for node in self.nodes for pid in self._found(node, wanted)]:
                pid = _first(min(pids))
                if not wanted(words_of(pid).split(" ")):
                    continue  # it was about to become the program that is restored
                time.sleep(fault.delay)
                kill(pid)
                return

    @contextmanager
    def _full(self, whom: str, left: int) -> Iterator[None]:
        """`left`: kilobytes that are free, of a node."""
        if whom == "host":
            used = os.statvfs(self.state)
            size = (used.f_blocks - used.f_bfree) * used.f_frsize
            run(["mount", "-o", f"remount,size={size // 1024}k", self.state])
            try:
                yield
            finally:
                run(["mount", "-o", "remount,size=64m", self.state])
            return
        node = self.nodes[_node(whom)]
        script = "used=$(df -Pk $1 | sed -n '2s/^[^ ]* *[0-9]* *\\([0-9]*\\) .*/\\1/p'); mount -o remount,size=$((used + $2))k $1"
        node.run(["sh", "-c", script, "sh", str(DATA), str(left)])
        try:
            yield
        finally:
            node.run(["mount", "-o", "remount,size=256m", str(DATA)])

    def _own(self, node: str) -> list[int]:
        """What makes it a node: its first process, and those by whose end that ends."""
        first = children(self.machines.machines[node].process.pid)[0]
        watching = [pid for pid in children(first) if "init.sh" in words_of(pid)]
        return [first, *watching, *(pid for one in watching for pid in children(one))]

    def _reboot(self, node: str, *, wipe: bool) -> None:
        """All processes of a node end but the first; with `wipe` its jobs' files are gone as well."""
        first = children(self.machines.machines[node].process.pid)[0]
        for pid in self._found(node, lambda words: True, supervisors=True):
            if pid != first:
                kill(pid)
        if wipe:
            shutil.rmtree(f"/proc/{first}/root{DATA}/jobs", ignore_errors=True)

    def _recover(self) -> None:
        """As `transproc recover` does."""
        for plan in recover.open_plans(self.store):
            recover.recover(self.context, plan)
        assert recover.open_plans(self.store) == []
        for name in self.store.names():
            operations.recover(self.context, name)
        assert operations.sweep(self.context) == [], "of a job whose record is there nothing is without one"

    def _look(self) -> None:
        """One copy, which runs where its record says; nothing of it elsewhere."""
        job = self.store.load(NAME)
        copies = [(name, pid) for name in self.nodes for pid in self.context.places(job, name).found()]
        assert copies == [(job.node, job.pid)], f"copies: {copies}, recorded: {job}"
        assert self.context.places(job).liveness(job.pid) is Liveness.RUNNING
        assert (job.state, job.target, job.leftovers) == (State.RUNNING, None, []), job
        assert self.store.unsettled(job) is None
        other = next(name for name in self.nodes if name != job.node)
        remains = self._remains(other)
        assert not remains, f"{other}: {remains}"
        assert (
            not self.store.move(NAME).exists() and not passing.directory(self.store.directory, NAME).exists()
        )

    def _remains(self, node: str) -> list[str]:
        script = 'cd "$1" && find . -mindepth 1 || true'
        listed = self.nodes[node].output(["sh", "-c", script, "sh", str(DATA / "jobs")]).split()
        busy = self._found(node, lambda words: is_criu(words) or is_tool(words))
        return [*listed, *(f"process {pid}: {words_of(pid)}" for pid in busy)]

    def _finish(self) -> None:
        """The program comes to its end, and has written each line once."""
        job = self.store.load(NAME)
        place = self.context.places(job)
        before = self._await_progress(job)
        place.node.run(["touch", f"{place.data}/work/stop"])
        job = wait(self.store, NAME, self.context.places, SECONDS)
        assert job.exit == "status 0", job.exit
        stdout = place.read("stdout").decode()
        count = stdout.count("\n") - 1
        assert count > before
        assert stdout == expected(count) + "end\n"
        assert place.node.get_bytes(f"{place.data}/work/lines").decode() == expected(count)

    def _await_progress(self, job: Job) -> int:
        """It prints; returns how many lines it had printed."""
        place = self.context.places(job)
        before = self._lines(place)
        until = time.monotonic() + SECONDS
        while self._lines(place) < before + 3:
            assert time.monotonic() < until, f"no progress on {job.node}:\n{self._threads(job)}"
            time.sleep(0.01)
        return before

    def _threads(self, job: Job) -> str:
        """What the kernel says of the program's threads."""
        place = self.context.places(job)
        return place.node.output(["sh", "-c", _THREADS, "sh", place.directory])

    def _lines(self, place: Place) -> int:
        return place.read("stdout").count(b"\n")

    def _found(
        self, node: str, wanted: Callable[[list[str]], bool], *, supervisors: bool = False
    ) -> list[int]:
        """Processes of a node, by their command lines."""
        found = in_node(self.machines, node, wanted)
        return [pid for pid in found if supervisors or not supervises(Path(f"/proc/{pid}"))]


def in_node(machines: NativeNodes, node: str, wanted: Callable[[list[str]], bool]) -> list[int]:
    """Processes of a node, by their command lines, as this machine numbers them."""
    space = _space(children(machines.machines[node].process.pid)[0])
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if wanted(words) and _space(int(path.name)) == space:
                found.append(int(path.name))
    return found


def _end(pid: int) -> None:
    """A process that stands still; it says where."""
    os.kill(pid, signal.SIGUSR1)
    time.sleep(1)
    kill(pid)


def _node(whom: str) -> str:
    return "na" if whom.startswith("source") else "nb"


def _by(word: str) -> str:
    if word == "killed" or "transproc recover" in word:
        return ", settled by `recover`"
    return "" if word == "done" else ", and said so"


def _in_short(fault: Fault, word: str, job: Job) -> str:
    """Of a job that runs."""
    if word == "killed":
        return "settled by `recover`"
    if fault.operation == PLAN and f"{NAME} stays as it is" in word:
        return "stopped, said so, settled by `recover`"
    if "does not answer" in word or "transproc recover" in word:
        return "said what cannot be known yet, settled by `recover`"
    if fault.operation in (*MOVES, PLAN) and word != "done":
        assert f"runs on {job.node}" in word, word
        return "runs on the target" if job.node == "nb" else "stayed on the source, and said so"
    done = {CHECKPOINT: "written", END: "written", RESTART: "restarted"}.get(fault.operation, "moved")
    if word == "done":
        return f"{done} all the same"
    assert f"runs on {job.node}" in word, word
    return "runs, and said so" if fault.operation == RESTART else "went on without a checkpoint, and said so"


def _first(pid: int) -> int:
    """What criu restores is criu for a while, and may be seen when criu itself was not executed yet: that is its parent then."""
    with contextlib.suppress(OSError, IndexError):
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        words = words_of(parent).split(" ")
        if is_criu(words) and not is_tool(words):
            return _first(parent)
    return pid


def words_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    return "gone"


def is_criu(words: list[str]) -> bool:
    return any(word.endswith("/criu") for word in words) and bool({"dump", "restore"} & set(words))


def is_tool(words: list[str]) -> bool:
    return "transproc-stop" in words[0] and len(words) > 1 and words[1] not in ("serve", "channel")


def supervises(path: Path) -> bool:
    """The pause tool stays as a supervisor: of the standard streams nothing is left."""
    try:
        words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
        return is_tool(words) and str((path / "fd/1").readlink()) == "/dev/null"
    except OSError:
        return True  # gone meanwhile


def _space(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/pid").readlink())


def children(pid: int) -> list[int]:
    """Of a process; of one that has ended none."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def kill(pid: int) -> None:
    """One that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def expected(count: int) -> str:
    """What `steady` prints in so many rounds."""
    words = 1 << 15
    first = words * (words - 1) // 2
    return "".join(f"{n} {n * n + 1} {first + n + 1}\n" for n in range(count))

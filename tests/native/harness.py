# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lets faults happen to operations on native nodes, calls `recover` as their user would, and looks at the world.

Afterwards there is exactly one copy of the program, which runs, or none where none may be; its output and its file without a
gap or a line twice; nothing of the job anywhere else, no images, no drafts; what is called a checkpoint is whole; and the name is
free, since the next fault uses it again.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pytest

from tests.deadline import LateError, deadline
from tests.native.faults import BORROWERS, CHECKPOINT, END, MOVES, PLAN, RESTART, Fault
from tests.native.performing import NAME, context_of, expected, perform, start
from tests.native.processes import kill
from tests.native.site import Site
from tests.native.wire import Wire
from transproc.automation.plans import recover
from transproc.cluster import checkpoints, operations, passing
from transproc.cluster.history import Reader
from transproc.cluster.job import Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.node import DATA
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.errors import BusyError, TransprocError
from transproc.run import run

SECONDS = 30.0
"""For anything that takes a moment."""
LATE_SECONDS = 0.5
"""In which a node would begin what it was asked for, and what recover would not know of."""
YEARS = 4
"""By which a clock is wrong."""
CASE_SECONDS = 300.0
"""For one fault, from the program's start to its end: they take 3 s to 60 s on a machine that has other work."""


_THREADS = """
for t in /proc/[0-9]*/task/*; do
  case $(readlink "$t/exe") in "$1"/bin/*) ;; *) continue ;; esac
  echo "$t" $(grep -E "^(State|SigPnd|ShdPnd|SigBlk|TracerPid)" "$t/status") $(cat "$t/wchan" "$t/syscall")
done
"""


class Harness:
    """Two nodes, a program, and a state directory of its own, on a file system that can be full."""

    def __init__(self, site: Site, program: Path, directory: Path) -> None:
        self.site = site
        self.program = program
        self.seconds = CASE_SECONDS
        self.state = directory / "state"
        self.state.mkdir()
        run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.state])
        self.wires = {name: Wire(port) for name, port in site.ports.items()}
        self.configuration = site.configuration.with_name("wires.toml")  # the operations' way to the nodes
        text = site.configuration.read_text()
        for name, wire in self.wires.items():
            text = text.replace(f"port = {site.ports[name]}\n", f"port = {wire.port}\n")
        self.configuration.write_text(text)
        self.nodes = site.nodes
        self.context = context_of(self.state, self.nodes)
        self.store = self.context.store
        self._held = contextlib.ExitStack()
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(
            ["tests.native.performing", "asyncssh", "transproc.transform.pipeline"]
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
            self._held.close()
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
        if fault.what == "late":
            self._let_arrive()
        return self._outcome(fault, word)

    def _let_arrive(self) -> None:
        """What was held up, and what the node then makes of it."""
        self._held.close()
        time.sleep(LATE_SECONDS)

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
        if fault.ends and job.exit == "signal 9":
            return self._expect_ended(job, copies, word)
        assert copies == [] and (job.exit == "checkpoint" or fault.loses), (word, job)
        lost = "" if job.exit == "checkpoint" else "lost with its node"
        if job.exit == "checkpoint" or made:
            operations.restart(self.context, made[-1], "nb")
            self._finish()
            return f"{lost}{', but ' if lost else ''}restarted from its checkpoint{_by(word)}"
        return lost

    def _expect_ended(self, job: Job, copies: list[int], word: str) -> str:
        """By the kernel, without a wrong word before."""
        printed = self.context.places(job).read("stdout").decode()
        assert copies == [] and f"{NAME} has ended on nb (signal 9)" in word, (word, copies, job)
        assert printed == expected(printed.count("\n"))
        return "ended by the kernel before it could read what had not come, and said so"

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
            target=start, args=(self.state, self.site.configuration, self.program, there)
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
                    if strikes and not fault.delay and fault.whom not in ("criu", "pause tool", *BORROWERS):
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
            with self.site.short(_node(fault.whom)):
                yield
            return
        if fault.whom.endswith("clock"):
            years = YEARS if fault.what == "years ahead" else -YEARS
            self._held.enter_context(self.site.years(_node(fault.whom), years))
        elif fault.what == "late":
            wire = self.wires[_node(fault.whom)]
            self._held.enter_context(wire.late())
            threading.Thread(target=_kill_when_held, args=[wire, command], daemon=True).start()
        elif fault.what == "asked again":
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
            self.site.reboot(_node(fault.whom), wipe=fault.what == "wiped")
        elif fault.whom.endswith("connection"):
            time.sleep(fault.delay)
            self.site.end_connections(_node(fault.whom))
        else:
            self.site.kill_when_there(fault.whom, fault.delay)
        yield

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
        with self.site.full(_node(whom), left):
            yield

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
        return [*listed, *self.site.busy(node)]

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


def _kill_when_held(wire: Wire, command: int) -> None:
    """A command that waits for nothing from the node comes to its end."""
    if wire.wait_held():
        time.sleep(0.01)  # a request may be of more than one piece
        with contextlib.suppress(ProcessLookupError):
            os.kill(command, signal.SIGKILL)


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

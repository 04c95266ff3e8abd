# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Carries out cases of `shaking.py` on two native nodes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from tests.compiling import COMPILER
from tests.deadline import deadline
from tests.native.nodes import NativeNodes
from tests.native.performing import Telling, context_of, nodes_of
from tests.native.processes import in_node, is_criu, is_tool, kill, serves_connection, supervises, words_of
from tests.native.shaking import Case, Move, Strike
from tests.native.wire import Wire
from transproc.cluster import files, operations, paging, passing, preflight
from transproc.cluster.job import State
from transproc.cluster.look import Liveness
from transproc.cluster.node import DATA
from transproc.cluster.operations import Context
from transproc.cluster.start import Program
from transproc.cluster.watch import refresh, wait
from transproc.errors import TransprocError
from transproc.process.criu import Options
from transproc.run import run

NAME = "shaken"
SOURCE = Path(__file__).parent.parent / "programs" / "shake"
OUTSIDE = 1 << 20
"""Bytes of the file that is read past the page cache."""
SECONDS = 60.0
"""For anything that takes a moment, on a busy machine."""
_MEANWHILE = "reads it by getdents64"
"""A refusal by chance: of a program that opens a stream of a directory just then."""
WAYS = {
    "plain": Options(),
    "lazy": Options(lazy=True),
    "precopy": Options(precopy=True),
    "precopy-lazy": Options(precopy=True, lazy=True),
}


class WrongError(Exception):
    """Something is not as it must be."""


def build(directory: Path) -> Path:
    """The program, as users compile theirs; its reference ends in `.x86_64` and so on."""
    program = directory / "shake"
    run([COMPILER, "-O2", "-pthread", "-o", program, *sorted(SOURCE.glob("*.c"))])
    return program


def write_outside(directory: Path) -> Path:
    """The file of which programs know each byte (`outside_byte` in files.c)."""
    path, mask = directory / "outside", (1 << 64) - 1
    path.write_bytes(bytes(((place * 0x9E3779B97F4A7C15) & mask) >> 56 for place in range(OUTSIDE)))
    return path


# --- the operation, in a process of its own ----------------------------------------------------------------------------


def perform(move: Move, target: str, state: Path, configuration: Path, line: Connection) -> None:
    """Its last word is what became of it."""
    context = context_of(state, nodes_of(configuration), Telling(line))
    files.LARGE = 0 if move.files else files.LARGE
    paging.STRAIGHT = 0 if move.straight else paging.STRAIGHT
    try:
        _carry_out(context, move, target)
        line.send("done")
    except TransprocError as error:
        line.send(f"{error.message}\n{''.join(traceback.format_exception(error))}")


def _carry_out(context: Context, move: Move, target: str) -> None:
    if move.way == "checkpoint":
        operations.checkpoint(context, NAME, keep=1)
    elif move.way == "restart":
        found = operations.checkpoint(context, NAME, end=True)
        operations.restart(context, found.path, target)
    elif move.way == "steps":
        operations.pause(context, NAME)
        operations.dump(context, NAME)
        operations.transform(context, NAME, context.places(context.store.load(NAME), target).node.isa)
        operations.ship(context, NAME, target)
        operations.restore(context, NAME, target)
        operations.resume(context, NAME)
    elif move.way == "paused":
        operations.pause(context, NAME)
        operations.migrate(context, NAME, target)
    else:
        preflight.LARGE = 0 if move.way in ("pages", "chosen") else preflight.LARGE
        preflight.WATCHED = 0
        preflight.AHEAD = 0 if move.way == "chosen" else preflight.AHEAD
        options = WAYS.get(move.way, Options(choose=True))
        operations.migrate(context, NAME, target, options=Options(**{**vars(options), "rate": move.rate}))


# --- the nodes ---------------------------------------------------------------------------------------------------------


class Shaker:
    """Two nodes, on which cases are carried out one after the other."""

    def __init__(self, directory: Path, program: Path, outside: Path) -> None:
        self.directory, self.program, self.outside = directory, program, outside
        self.machines = NativeNodes(directory / "nodes")
        self.told: list[str] = []
        """What was done in the present case, for people."""

    def __enter__(self) -> Shaker:
        self.machines.up()
        self.wires = {name: Wire(machine.port) for name, machine in self.machines.machines.items()}
        self.nodes = nodes_of(self.machines.configuration)
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(
            ["tests.native.shaken", "asyncssh", "transproc.transform.pipeline"]
        )
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes.values():
            node.close()
        for wire in self.wires.values():
            wire.close()
        self.machines.down()

    def configuration(self, compression: bool) -> Path:
        """The operations' way to the nodes."""
        text = self.machines.configuration.read_text()
        for name, wire in self.wires.items():
            line = f"port = {self.machines.machines[name].port}\n"
            text = text.replace(
                line, f"port = {wire.port}\n" + ("compression = true\n" if compression else "")
            )
        path = self.directory / "wires.toml"
        path.write_text(text)
        return path

    def carry_out(self, case: Case, seconds: float) -> None:
        """Raises `WrongError`, or `LateError`; `told` says what was done until then."""
        self.told = [str(case)]
        self.state = self.directory / f"state-{case.seed}"
        self.context = context_of(self.state, self.nodes)
        with deadline(seconds, self.told[0].split(":")[0]):
            found = self._carry_out(case)
        self._compare(case, found)

    def _carry_out(self, case: Case) -> list[str]:
        """Returns what the program has printed in the end."""
        argv = [str(self.program), *case.arguments(str(self.outside))]
        operations.run(self.context, Program(argv), "na", name=NAME, keep_files=case.keep_files)
        self._await_beats(2)
        for move in case.moves:
            time.sleep(move.after)
            begin = time.monotonic()
            word = self._move(case, move)
            self.told.append(f"  {move}: {word.splitlines()[0]} ({time.monotonic() - begin:.1f} s)")
            if move.strike is None and word != "done" and _MEANWHILE not in word:
                with contextlib.suppress(TransprocError):
                    self._expect_alive()
                raise WrongError(f"undisturbed, and failed: {word}")
            self._recover(move)
            self._look()
            self._await_beats(self._beats() + 2)
        end = self._finish()
        self.clear()
        return end

    # --- one move ----------------------------------------------------------------------------------------------

    def _move(self, case: Case, move: Move) -> str:
        source = self.context.store.load(NAME).node
        target = "nb" if source == "na" else "na"
        here, there = self._processes.Pipe()
        process = self._processes.Process(
            target=perform, args=(move, target, self.state, self.configuration(case.compression), there)
        )
        process.start()
        there.close()
        chance, due, count, word = random.Random(f"{case.seed} {move}"), None, 0, "killed"
        with contextlib.ExitStack() as stack:
            stack.callback(process.join)
            stack.callback(here.close)
            with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
                while True:
                    if due is not None and not here.poll(max(0.0, due - time.monotonic())):
                        assert move.strike is not None
                        due = None
                        stack.enter_context(
                            self._strike(move.strike, source, target, process.pid or 0, chance)
                        )
                    if due is None and not isinstance(said := here.recv(), tuple):
                        word = said
                        break
                    if due is not None:
                        said = here.recv()
                        if not isinstance(said, tuple):
                            word = said
                            break
                    count += 1
                    if move.strike is not None and count == move.strike.told:
                        due = time.monotonic() + move.strike.delay
                    here.send("go on")
        return word

    @contextmanager
    def _strike(
        self, strike: Strike, source: str, target: str, command: int, chance: random.Random
    ) -> Iterator[None]:
        nodes = {"source": source, "target": target}
        kind, _, what = strike.victim.partition(" network ")
        if what:
            with getattr(self.wires[nodes[kind]], what)():
                self.told.append(f"    struck: {strike.victim}")
                yield
            return
        if strike.victim == "command":
            os.kill(command, signal.SIGKILL)
            self.told.append("    struck: the command")
        elif strike.victim.endswith("connection"):
            node = nodes[strike.victim.split()[0]]
            for pid in in_node(self.machines, node, serves_connection):
                kill(pid)
            self.told.append(f"    struck: connections of {node}")
        else:
            self._kill_one(strike.victim, chance)
        yield

    def _kill_one(self, victim: str, chance: random.Random) -> None:
        """As soon as there is one, if that is soon."""
        wanted = _WANTED[victim]
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            found = [pid for name in self.nodes for pid in in_node(self.machines, name, wanted)]
            found = [
                pid for pid in found if not supervises(Path(f"/proc/{pid}"))
            ]  # it bears criu's words, too
            if found:
                pid = chance.choice(sorted(found))
                self.told.append(f"    struck: {words_of(pid)}")
                kill(pid)
                return

    # --- what must be ------------------------------------------------------------------------------------------

    def _recover(self, move: Move) -> None:
        """As its user does; a program that has ended with its checkpoint, or was not begun from one, is started from it."""
        for name in self.context.store.names():
            operations.recover(self.context, name)
        for name in self.context.store.names():
            if self.context.store.load(name).stopped:
                operations.resume(self.context, name)
        if move.way != "restart":
            self._expect_alive()
        swept = operations.sweep(self.context)
        if move.way != "restart" and swept:
            raise WrongError(f"without a record there was: {swept}")
        names = self.context.store.names()
        if move.way == "restart" and (not names or self.context.store.load(NAME).exit == "checkpoint"):
            made = sorted((self.state / "checkpoints").glob("*"))
            if not made:
                raise WrongError("lost: there is neither a program nor a checkpoint")
            operations.restart(self.context, made[-1], "nb")

    def _look(self) -> None:
        job = self.context.store.load(NAME)
        job = refresh(self.context.store, job, self.context.places(job))
        if job.state is State.EXITED:
            raise WrongError(f"ended on {job.node}: {job.exit}; {self._last_lines()}")
        copies = [(name, pid) for name in self.nodes for pid in self.context.places(job, name).found()]
        if copies != [(job.node, job.pid)]:
            raise WrongError(f"copies: {copies}, recorded: {job.node} {job.pid}")
        liveness = self.context.places(job).liveness(job.pid)
        if liveness is not Liveness.RUNNING or job.state is not State.RUNNING or job.leftovers or job.target:
            raise WrongError(f"{liveness}, {job.state}, leftovers {job.leftovers}, target {job.target}")
        if self.context.store.unsettled(job) is not None:
            raise WrongError("something is not settled")
        other = next(name for name in self.nodes if name != job.node)
        self._expect_nothing(other)
        if self.context.store.move(NAME).exists() or passing.directory(self.state, NAME).exists():
            raise WrongError("images are left on the host")

    def _expect_nothing(self, node: str) -> None:
        script = 'cd "$1" && find . -mindepth 1 || true'
        until = time.monotonic() + 5
        while True:
            listed = self.nodes[node].output(["sh", "-c", script, "sh", str(DATA / "jobs")]).split()
            busy = in_node(self.machines, node, _belongs)
            left = [*listed, *(words_of(pid) for pid in busy)]
            if not left:
                return
            if time.monotonic() > until:
                raise WrongError(f"left on {node}: {left}")
            time.sleep(0.05)

    def _lines(self) -> list[str]:
        job = self.context.store.load(NAME)
        return self.context.places(job).read("stdout").decode().splitlines()

    def _last_lines(self) -> str:
        with contextlib.suppress(TransprocError):
            return "; ".join(line for line in self._lines() if not line.isdecimal())
        return "no output"

    def _beats(self) -> int:
        return len(self._lines())

    def _await_beats(self, count: int) -> None:
        until = time.monotonic() + SECONDS
        while self._beats() < count:
            self._expect_alive()
            if time.monotonic() > until:
                raise WrongError(f"does not go on after {self._beats()} lines")
            time.sleep(0.02)

    def _expect_alive(self) -> None:
        job = self.context.store.load(NAME)
        job = refresh(self.context.store, job, self.context.places(job))
        if job.state is State.EXITED:
            raise WrongError(f"ended on {job.node}: {job.exit}; {self._last_lines()}")

    def _finish(self) -> list[str]:
        place = self.context.places(self.context.store.load(NAME))
        place.node.run(["touch", f"{place.data}/work/stop"])
        job = wait(self.context.store, NAME, self.context.places, SECONDS)
        lines = self._lines()
        if job.exit != "status 0":
            raise WrongError(f"ended: {job.exit}; {self._last_lines()}")
        end = lines.index("end")
        if lines[:end] != [str(number) for number in range(end)]:
            raise WrongError("lines are lost, or came twice")
        return lines[end + 1 :]

    def _compare(self, case: Case, found: list[str]) -> None:
        """With what it prints undisturbed."""
        steps = [line.split()[0] for line in found]
        self.told.append(f"  steps: {' '.join(steps)}")
        place = self.directory / "reference"
        run(["rm", "-rf", place])
        place.mkdir()
        words = case.arguments(str(self.outside))
        words[4] = "0"  # rest
        binary = f"{self.program}.{os.uname().machine}"
        done = subprocess.run(
            [binary, *words, *steps], cwd=place, capture_output=True, text=True, check=False
        )
        if (expected := done.stdout.splitlines()[1:]) != found:
            raise WrongError(f"printed {found}, expected {expected}")

    def clear(self) -> None:
        """The job is removed, and nothing is left of it."""
        operations.discard(self.context, NAME)
        operations.sweep(self.context)
        for name in self.nodes:
            self._expect_nothing(name)
        if self.context.store.names() or list((self.state / "jobs").iterdir()):
            raise WrongError("a record is left")
        run(["rm", "-rf", self.state])


def _tool(*commands: str) -> Callable[[list[str]], bool]:
    return lambda words: "transproc-stop" in words[0] and words[1:2] != [] and words[1] in commands


_WANTED: dict[str, Callable[[list[str]], bool]] = {
    "criu": is_criu,
    "pause tool": lambda words: is_tool(words) and words[1] != "borrow",
    "agent": _tool("serve", "channel"),
    "borrower": _tool("borrow"),
}


def _belongs(words: list[str]) -> bool:
    """A process that nobody needs when no operation is under way, and no program is there."""
    return is_criu(words) or is_tool(words) or words[0].endswith("/shake")

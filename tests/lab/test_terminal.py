# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs with a terminal of their own move while somebody types: nothing is lost, shown twice or set back."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from transproc.cluster import operations, terminal
from transproc.cluster.events import Silent
from transproc.cluster.job import Job, State
from transproc.cluster.migration import Migration
from transproc.cluster.move import Move
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context, discard
from transproc.cluster.place import Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError
from transproc.process.launch import Window
from transproc.run import run
from transproc.transform.pipeline import carry, transform

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

SECONDS = 30.0
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("program") / "dialogue"
    run(
        [
            Path(sys.executable).with_name("transproc-cc"),
            "-O2",
            "-o",
            program,
            Path(__file__).with_name("dialogue.c"),
        ]
    )
    return program


class User:
    """Somebody at the terminal of a job."""

    def __init__(self, store: JobStore, job: Job, nodes: dict[str, SshNode]) -> None:
        self.store = store
        self.name = job.name
        self.nodes = nodes
        self.shown = ""
        keys, self.keyboard = os.pipe()
        self.screen, shown = os.pipe()
        self.ended: Job | None = None
        self.threads = [
            threading.Thread(target=self._connect, args=(keys, shown)),
            threading.Thread(target=self._look),
        ]
        for thread in self.threads:
            thread.start()

    def place(self, job: Job, node: str | None = None) -> Place:
        return Place(self.nodes[node or job.node], job)

    def _connect(self, keyboard: int, screen: int) -> None:
        try:
            self.ended = terminal.converse(
                self.store,
                self.name,
                self.place,
                keyboard=keyboard,
                screen=terminal.Descriptor(screen),
                offset=0,
            )
        finally:
            os.close(screen)
            os.close(keyboard)

    def _look(self) -> None:
        while data := os.read(self.screen, 4096):
            self.shown += data.decode()
        os.close(self.screen)

    def types(self, text: str, *, sees: str = "") -> None:
        """Types, and waits until that has been shown, as the last there is."""
        os.write(self.keyboard, text.encode())
        self.sees(sees)

    def sees(self, text: str) -> None:
        until = time.monotonic() + SECONDS
        while not self.shown.endswith(text) and time.monotonic() < until:
            time.sleep(0.05)
        assert self.shown.endswith(text), self.shown

    def leaves(self) -> Job | None:
        for thread in self.threads:
            thread.join(SECONDS)
        os.close(self.keyboard)
        return self.ended

    def moves(self) -> None:
        job = self.store.load(self.name)
        target = "arm" if job.node == "x86" else "x86"
        places = self.place(job), self.place(job, target)
        Migration(self.store, job, *places, transform=transform).run()


@pytest.fixture
def user(dialogue: Path, nodes: dict[str, SshNode], tmp_path: Path) -> Iterator[User]:
    store = JobStore(tmp_path / "jobs")
    job = Job(f"talk{next(NUMBERS)}", "x86", ["dialogue"], terminal=True)
    start(store, Place(nodes["x86"], job), Program([str(dialogue)], window=Window(30, 100)))
    user = User(store, job, nodes)
    user.sees("parent [ready] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    yield user
    discard(Context(store, user.place, transform, Silent()), job.name)


def test_a_terminal_is_the_same_after_each_move(user: User) -> None:
    user.types("one\n", sees="one\r\nparent [one] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    user.types("half", sees="half")
    user.moves()
    user.types(
        " a line\n",
        sees="half a line\r\nparent [half a line] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n",
    )
    user.types("\x03", sees="^C")
    user.types("echo off\n", sees="\r\nparent [echo off] 30x100 echo 0 front 1 leader 0 interrupts 1\r\n")
    user.types("unseen, ")
    time.sleep(1)
    user.moves()
    user.types("twice\n", sees="parent [unseen, twice] 30x100 echo 0 front 1 leader 0 interrupts 1\r\n")
    user.types("tty\n", sees="parent [tty] 30x100 echo 0 front 1 leader 0 interrupts 1\r\n")
    user.moves()
    job = user.store.load(user.name)
    user.place(job).resize(job.pid, Window(25, 90))
    user.types("after\n", sees="parent [after] 25x90 echo 0 front 1 leader 0 interrupts 1\r\n")
    user.types("end\n", sees="end, resized\r\n")
    ended = user.leaves()
    assert ended is not None
    assert (ended.state, ended.exit, ended.moves) == (State.EXITED, "status 7", 3)
    assert user.shown.count("half") == 2, "shown when it was typed, and in the answer"


def test_checkpoints_go_on_with_the_other_isa_in_another_year(
    user: User, nodes: dict[str, SshNode], tmp_path: Path
) -> None:
    """Twice, there and back: with a terminal of its own each time, on which is what was printed, and what was typed."""
    context = Context(user.store, user.place, carry, Silent())
    if nodes["arm"].isa == os.uname().machine:
        pytest.skip("it would be this machine's clock")
    nodes["arm"].run(["date", "-s", "2021-03-01 12:00:00"])
    user.types("half", sees="half")
    found = operations.checkpoint(context, user.name, tmp_path / "to", end=True)
    ended = user.leaves()
    assert ended is not None and ended.exit == "checkpoint"
    operations.restart(context, found.path, "arm")
    second = User(user.store, user.store.load(user.name), nodes)
    second.sees(user.shown)
    second.types(
        " a line\n",
        sees="half a line\r\nparent [half a line] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n",
    )
    found = operations.checkpoint(context, user.name, tmp_path / "to", end=True)
    second.leaves()
    operations.restart(context, found.path, "x86")
    third = User(user.store, user.store.load(user.name), nodes)
    third.sees(second.shown)
    third.types("end\n", sees="end, never resized\r\n")
    third.leaves()
    nodes["arm"].run(["date", "-s", f"@{time.time():.0f}"])


def test_a_child_in_the_foreground_moves_along(user: User) -> None:
    user.types("child\n", sees="child [ready] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    user.moves()
    user.types("x\n", sees="parent [back] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    assert "child [x] 30x100 echo 1 front 1 leader 0" in user.shown
    user.types("\x04", sees="end, never resized\r\n")
    user.leaves()


def test_what_is_typed_while_the_job_moves_waits_for_it(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = Move.dump

    def type_first(move: Move) -> str:
        os.write(user.keyboard, b"meanwhile\n")
        return dump(move)

    monkeypatch.setattr(Move, "dump", type_first)
    user.moves()
    user.sees("meanwhile\r\nparent [meanwhile] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    user.types("end\n", sees="end, never resized\r\n")
    user.leaves()


def test_a_move_that_fails_leaves_the_terminal_as_it_was(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.types("half", sees="half")

    def fail(*arguments: object, **options: object) -> None:
        raise TransprocError("no")

    monkeypatch.setattr(Place, "criu_restore", fail)
    with pytest.raises(TransprocError, match="runs on x86 again"):
        user.moves()
    user.types(
        " here\n", sees="half here\r\nparent [half here] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n"
    )
    user.types("\x1d")
    assert user.leaves() is not None
    assert user.store.load(user.name).state is State.RUNNING

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program in a job of Slurm: `transproc slurm exec`, the user's half.

It stands for the program towards Slurm. What it hears from there:

    the warning signal (sbatch --signal)                         checkpoint, requeue
    the time limit comes near, the node is drained               checkpoint, requeue
    `transproc slurm migrate` (a word in the job's comment)      checkpoint, requeue held
    SIGTERM, and the job has been requeued already               checkpoint
    SIGTERM, and the job is about to be preempted, or over       checkpoint, requeue
       its time limit
    any other signal                                             is the program's

When the job is started again it goes on from the checkpoint, on whatever ISA that is. Until a checkpoint is whole the program
runs on, and if the job cannot be requeued then, it is started again from there.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from transproc.errors import TransprocError
from transproc.slurm import commands
from transproc.slurm.commands import WANTED, SlurmJob
from transproc.slurm.ending import keep_results
from transproc.slurm.helped import Helped, Sent, Started
from transproc.slurm.identity import Identity, Terms
from transproc.slurm.output import Stream, read_notes, write_notes

BEAT = 0.2
"""Seconds between two looks at what the program has printed."""
RECORD_SECONDS = 10.0
REQUEUE_SECONDS = 20.0
"""A controller that does not answer is asked again for so long, then the program goes on here."""
RETRY_SECONDS = 5.0
OVER = "TimeLimit"
"""Slurm's word for why a job has ended; until it is killed (`KillWait`) such a one can still be requeued."""
ENDING = ("COMPLETING", "CANCELLED")
BYTES_A_SECOND = 100e6
"""A guess of how fast a checkpoint is written, until one was."""
PASSED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGTERM,
)
HEARD = (*PASSED, signal.SIGCONT)
"""The last one says: look at the job's comment. Slurm sends it with SIGTERM, too."""


@dataclass
class Execution:
    """One program of a job; `run` returns how it ended ("status N", "signal N"), or None if the job left."""

    helped: Helped
    job: Identity
    sent: Sent
    name: str
    results: Path
    terms: Terms = field(default_factory=Terms)
    say: Callable[[str], None] = lambda line: print(f"transproc: {line}", file=sys.stderr, flush=True)

    def __post_init__(self) -> None:
        self._heard: list[int] = []
        self._streams: list[Stream] = []
        self._notes = Path()
        self._started: Started | None = None
        self._pidfd = -1
        self._next_look = self._next_checkpoint = 0.0
        self._said = ""
        self._requeue, self._hold = True, False
        self._last = (0.0, 0)
        self._kill_wait: float | None = None

    @property
    def told(self) -> bool:
        """After `run`: Slurm has said already that the job ends."""
        return not self._requeue or signal.SIGTERM in self._heard

    def run(self) -> str | None:
        """Until the program ends, or the job leaves. Raises `TransprocError` if it cannot be started."""
        about = self._expect_requeue(commands.job(self.job.label))
        self._streams = [Stream("stdout", 1, about.stdout), Stream("stderr", 2, about.stderr)]
        with self._listening() as wakeup:
            found = self.helped.open(self.job.number, self.name, restarted=self.job.restarts > 0)
            self._notes = found.notes
            if self.job.shell:
                with self._told():
                    self.helped.guard(self.job.shell, [*HEARD, self.terms.warning])
            if not found.checkpoint:
                if found.begun:
                    self.say(f"job {self.job.label}: has left no checkpoint, so it begins anew")
                self._go(lambda: self.helped.start(self.sent))
            elif not self._goes_on():
                return None
            try:
                return self._watch(wakeup)
            finally:
                for stream in self._streams:
                    stream.close()

    def _goes_on(self) -> bool:
        """From its checkpoint; if that cannot be here, it is kept, and the job waits for somebody who looks at it."""
        try:
            self._go(self.helped.restart)
        except TransprocError as error:
            label = self.job.label
            self.say(f"{error.message}; job {label} is held: 'scontrol release {label}' lets it try again")
            commands.requeue(label, hold=True)
            self.helped.end(keep=True)
            return False
        return True

    def _expect_requeue(self, about: SlurmJob) -> SlurmJob:
        if not about.batch:
            raise TransprocError(
                f"job {about.label}: has no script, and only jobs that have one can leave and go on elsewhere",
                hint="sbatch --requeue --wrap 'srun --ntasks=1 transproc slurm exec -- PROG'",
            )
        if not about.requeue:
            raise TransprocError(
                f"job {about.label}: is not to be requeued, so it cannot leave and go on elsewhere",
                hint="sbatch --requeue",
            )
        return about

    @contextmanager
    def _listening(self) -> Iterator[int]:
        """Signals are noted, and wake whoever waits for the descriptor."""
        outlet, inlet = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        numbers = {*HEARD, self.terms.warning}
        before = {number: signal.signal(number, lambda n, _: self._heard.append(n)) for number in numbers}
        before_fd = signal.set_wakeup_fd(inlet)
        try:
            yield outlet
        finally:
            signal.set_wakeup_fd(before_fd)
            for number, action in before.items():
                signal.signal(number, action)
            os.close(outlet)
            os.close(inlet)

    def _go(self, how: Callable[[], Started]) -> None:
        """The program runs, and what it prints is followed."""
        self._started = how()
        notes = read_notes(self._notes)
        for stream in self._streams:
            stream.follow(self._started.data / stream.name, notes.get(stream.name))
        if self._pidfd >= 0:
            os.close(self._pidfd)
        try:
            self._pidfd = os.pidfd_open(self._started.pid)
        except ProcessLookupError:  # it has ended
            self._pidfd = -1
        now = time.monotonic()
        self._next_look = now
        self._next_checkpoint = now + self.terms.every if self.terms.every else float("inf")

    def _watch(self, wakeup: int) -> str | None:
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        while True:
            if self._pidfd >= 0:
                poll.register(self._pidfd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll(BEAT * 1000)} if self._pidfd >= 0 else {-1}
            if self._pidfd in ready:
                return self._ended()
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 64)
            self._pump()
            if self._wants_to_leave() and self._leave():
                return None

    def _pump(self) -> None:
        moved = [stream.pump() for stream in self._streams]
        if any(moved):
            write_notes(self._notes, self._streams)

    # --- the end -------------------------------------------------------------------------------------------------

    def _ended(self) -> str:
        """The program has ended by itself: its last words, its files, its status."""
        until = time.monotonic() + RECORD_SECONDS
        while (status := self.helped.status()) is None and time.monotonic() < until:
            time.sleep(0.02)
        self._pump()
        assert self._started is not None
        keep_results(self._started.data / "work", self.results, self.say)
        self.helped.end(keep=False)
        if status is None:
            raise TransprocError(f"job {self.job.number}: nobody knows how the program has ended")
        return status

    # --- leaving -------------------------------------------------------------------------------------------------

    def _wants_to_leave(self) -> bool:
        """Obeys what was heard, and looks around from time to time; sets `_requeue` and `_hold`."""
        self._requeue, self._hold = True, False
        while self._heard:
            number = self._heard.pop(0)
            if number == signal.SIGCONT:
                self._next_look = 0.0
            elif self._obey(number):
                return True
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self.terms.poll
            with contextlib.suppress(TransprocError):  # a controller that does not answer now will later
                self._foresee()
                return self._has_reason(commands.job(self.job.label))
        if time.monotonic() >= self._next_checkpoint and self.terms.every:
            self._next_checkpoint = time.monotonic() + self.terms.every
            with self._told():
                self._checkpoint(end=False)
        return False

    def _checkpoint(self, *, end: bool) -> None:
        """Notes how long it took."""
        begun = time.monotonic()
        size = self.helped.checkpoint(end=end)
        self._last = (time.monotonic() - begun, size)

    def _foresee(self) -> None:
        """Says, once, if Slurm would not wait so long for a checkpoint: the job would be killed in the middle of it."""
        if self._kill_wait is None:
            self._kill_wait = commands.kill_wait()
        assert self._started is not None
        seconds, size = self._last
        seconds += max(0, memory_of(self._started.pid) - size) / BYTES_A_SECOND
        if seconds > self._kill_wait:
            self._kill_wait = float("inf")
            self.say(
                f"job {self.job.label}: a checkpoint takes some {seconds:.0f} s, but Slurm kills a job that it ends sooner"
                " (KillWait): --every makes checkpoints in between, --before and --signal leave before the time limit"
            )

    def _obey(self, number: int) -> bool:
        """Whether a signal means that the job leaves; if not it is the program's."""
        if number not in (self.terms.warning, signal.SIGTERM):
            self._pass_on(number)
            return False
        try:
            about = commands.job(self.job.label)
        except TransprocError as error:
            self._complain(error)
            return number == self.terms.warning
        self._requeue = about.restarts <= self.job.restarts
        self._hold = WANTED.search(about.comment) is not None
        if number == self.terms.warning or not self._requeue:
            return True
        if (about.state == "RUNNING" and about.preempted is not None) or about.reason == OVER:
            return True
        self._pass_on(number)  # somebody's who wants the program to end, or has a word with it
        return False

    def _has_reason(self, about: SlurmJob) -> bool:
        self._hold = WANTED.search(about.comment) is not None
        self._requeue = about.restarts <= self.job.restarts
        if self._requeue and about.state != "RUNNING":
            return False  # it is being ended
        limit = about.limit or 0.0
        late = about.ends is not None and about.ends - time.time() < min(self.terms.before, limit / 4)
        drained = bool(self.job.node) and any(
            "DRAIN" in state for state in commands.node(self.job.node).states
        )
        return self._hold or not self._requeue or late or drained

    def _pass_on(self, number: int) -> None:
        with self._told():
            self.helped.signal(number)

    def _leave(self) -> bool:
        """The program is in a checkpoint, and the job in the queue; or, after a failure, it runs as before."""
        with self._told() as done:
            self._checkpoint(end=True)
            done.append(True)
        if not done:
            self._next_look = time.monotonic() + RETRY_SECONDS
            return False
        self._pump()
        write_notes(self._notes, self._streams)
        if self._requeue and not self._requeued():
            self._go(self.helped.restart)
            return False
        self.helped.end(keep=True)
        return True

    def _requeued(self) -> bool:
        until = time.monotonic() + REQUEUE_SECONDS
        while True:
            try:
                if self._is_cancelled():
                    return False
                commands.requeue(self.job.label, hold=self._hold)
            except TransprocError as error:
                with contextlib.suppress(TransprocError):
                    if commands.job(self.job.label).restarts > self.job.restarts:
                        return True  # by somebody else
                if time.monotonic() > until:
                    self._complain(error)
                    return False
                time.sleep(1.0)
            else:
                return True

    def _is_cancelled(self) -> bool:
        """Somebody has ended the job while it made its checkpoint: then it must not come again."""
        about = commands.job(self.job.label)
        ends = about.state in ENDING and about.reason != OVER
        return ends and about.restarts <= self.job.restarts

    # --- what is said --------------------------------------------------------------------------------------------

    @contextmanager
    def _told(self) -> Iterator[list[bool]]:
        """A failure is told, and the program goes on."""
        try:
            yield []
        except TransprocError as error:
            self._complain(error)

    def _complain(self, error: TransprocError) -> None:
        if error.message != self._said:  # once, not at each try
            self._said = error.message
            self.say(error.message)


def memory_of(pid: int) -> int:
    """Bytes that a process and its descendants have in memory: about what its checkpoint holds."""
    total, waiting = 0, [pid]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError, ValueError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, path.read_text().split())
    return total

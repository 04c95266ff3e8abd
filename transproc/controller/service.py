# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a controller is made of, shared by its HTTP interface, its web page, and what it does by itself."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from transproc.cluster.history import Reader
from transproc.cluster.operations.checkpoint import place
from transproc.cluster.store import JobStore
from transproc.controller.guard import Guard
from transproc.controller.metrics import Metrics
from transproc.controller.policies import Keeper
from transproc.controller.requests.base import Request
from transproc.controller.sessions import Sessions
from transproc.controller.stream import Stream
from transproc.controller.taskrecords import Key, Task
from transproc.controller.tasks import Tasks
from transproc.controller.terminals import Terminals
from transproc.controller.tokens import Role, Token, Tokens
from transproc.controller.uploads import Uploads
from transproc.controller.watch import Watch
from transproc.errors import TransprocError
from transproc.host import Host

Words = ParamSpec("Words")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Settings:
    """`at_once`: tasks that run at the same time, `per_node`: with one node; `watch`: seconds between two looks at a node's
    jobs; `grace`: seconds that tasks have to end by themselves when the controller is stopped; `job_user`: whom the jobs of those
    who are no admins run as."""

    at_once: int = 16
    per_node: int = 4
    watch: float = 5.0
    grace: float = 30.0
    job_user: str | None = None


class Service:
    """One controller of a state directory; there is only one at a time (`TransprocError`)."""

    def __init__(self, host: Host, settings: Settings | None = None) -> None:
        self.host = host
        self.store = host.store
        self.settings = settings or Settings()
        self.directory = self.store.directory / "controller"
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self._lock = _alone(self.directory / "lock")
        self.reader = Reader(self.store.path)
        self.stream = Stream()
        self.listeners = 0
        self._hurry = threading.Event()
        self._keyed = threading.Lock()
        self.tokens = Tokens(self.store.database)
        self.sessions = Sessions(self.directory / "session.key", self.tokens)
        self.guard = Guard(self.tokens)
        self.uploads = Uploads(self.directory / "uploads")
        self.terminals = Terminals(host)
        self.tasks = Tasks(
            host,
            self.store.database,
            self.stream,
            at_once=self.settings.at_once,
            per_node=self.settings.per_node,
        )
        self.policies = Keeper(host, self.tasks, self.stream, self.directory / "policy.toml")
        self.watch = Watch(self)
        self.metrics = Metrics(self)
        self._records = ThreadPoolExecutor(4, thread_name_prefix="records")
        self._nodes = ThreadPoolExecutor(32, thread_name_prefix="nodes")

    async def ask(
        self, function: Callable[Words, Answer], *words: Words.args, **more: Words.kwargs
    ) -> Answer:
        """Calls what reads or writes the records, in a thread; it takes milliseconds."""
        return await asyncio.get_running_loop().run_in_executor(
            self._records, lambda: function(*words, **more)
        )

    async def ask_node(
        self, function: Callable[Words, Answer], *words: Words.args, **more: Words.kwargs
    ) -> Answer:
        """Calls what asks a node, in a thread of others: a node that does not answer holds up nothing else."""
        return await asyncio.get_running_loop().run_in_executor(self._nodes, lambda: function(*words, **more))

    def start(self) -> None:
        """Settles what an earlier controller has left, and watches from now on."""
        self.watch.start()
        self.policies.start()

    def do_on_node(self, action: Callable[[], None]) -> None:
        """Calls what asks a node, beside everything else."""
        self._nodes.submit(action)

    def submit(self, request: Request, token: Token, key: str | None = None) -> Task:
        """Takes a request of whoever has a token; raises `TransprocError` if it is refused.

        One with a key that he has used before is not taken again: it is the task of then.
        """
        if key is None:
            return self.tasks.submit(request.admitted(Desk(self, token)), token.name)
        keyed = Key.of(key, request)
        with self._keyed:  # what was sent for it is taken when it is admitted
            return self.tasks.records.again(token.name, keyed) or self.tasks.submit(
                request.admitted(Desk(self, token)), token.name, keyed
            )

    def hurry(self) -> None:
        """Ends the grace that `close` gives."""
        self._hurry.set()

    def close(self) -> None:
        """Ends everything; tasks that run are given their grace."""
        self.stream.close()
        self.terminals.close()
        self.policies.close()
        self.watch.close()
        self.tasks.stop(self.settings.grace, self._hurry)
        self.policies.join()
        self._records.shutdown(wait=False, cancel_futures=True)
        self._nodes.shutdown(wait=False, cancel_futures=True)
        self.host.close()
        os.close(self._lock)


@dataclass(frozen=True)
class Desk:
    """As `requests.base.Desk` says."""

    service: Service
    token: Token

    @property
    def who(self) -> str:
        """As `requests.base.Desk` says."""
        return self.token.name

    @property
    def role(self) -> Role:
        """As `requests.base.Desk` says."""
        return self.token.role

    @property
    def job_user(self) -> str | None:
        """As `requests.base.Desk` says."""
        return self.service.settings.job_user

    @property
    def checkpoints(self) -> Path:
        """As `requests.base.Desk` says."""
        return place(self.service.store)

    def program(self, job: str) -> Path:
        """As `requests.base.Desk` says."""
        found = self.service.store.load(job)
        return self.service.store.pair(job) / found.program

    @property
    def store(self) -> JobStore:
        """As `requests.base.Desk` says."""
        return self.service.store

    def upload(self, identity: str) -> Path:
        """As `requests.base.Desk` says."""
        return self.service.uploads.find(identity, self.token.id)


def _alone(path: Path) -> int:
    """A lock that ends with this process."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.read(file, 20).decode(errors="replace")
        os.close(file)
        raise TransprocError(
            f"{path.parent.parent}: another controller works with it (process {who})"
        ) from None
    os.ftruncate(file, 0)
    os.write(file, str(os.getpid()).encode())
    return file

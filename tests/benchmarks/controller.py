# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller: jobs that move in waves, its share of a migration's time, and its answers when there are many jobs.

    python -m tests.benchmarks.controller [--jobs 100] [--waves 2] [--rounds 15] [--only-waves] [--share] [--nodes local,na,nb]
    python -m tests.benchmarks.controller --only-waves --nodes local,na,nb,x86,arm      the lab's machines as well

It is a process of its own, used over HTTPS, with two native nodes (`tests/native`), this machine (`local`), and, if named, the
lab's guests, which are started.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.native.nodes import NativeNodes, Setting
from transproc.cluster import operations
from transproc.cluster.events import Silent, Token
from transproc.cluster.job import Job, State
from transproc.cluster.store import JobStore
from transproc.controller.client import Client
from transproc.controller.contexts import Controller, shown_certificate
from transproc.controller.tokens import Role, Tokens
from transproc.host import Host
from transproc.lab.lab import Lab
from transproc.lab.qemu import GUESTS
from transproc.run import run

COMMAND = Path(sys.executable).with_name("transproc")
TICKS = os.sysconf("SC_CLK_TCK")
FOREVER = ["1000000", "50000", "1"]
"""Arguments of counter.c: a number twenty times a second, and a megabyte of memory."""


@dataclass(frozen=True)
class Served:
    """A controller that answers."""

    client: Client
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS

    def memory(self) -> float:
        """Resident, in MiB."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096 / (1 << 20)


@contextmanager
def serving(state: Path, configuration: Path) -> Iterator[Served]:
    """A controller of a state directory, with an admin's token."""
    tokens = Tokens(JobStore(state).database)
    secret = tokens.add(f"bench{len(tokens.all())}", Role.ADMIN)
    environment = os.environ | {"TRANSPROC_STATE": str(state), "TRANSPROC_NODES": str(configuration)}
    words = [str(COMMAND), "serve", "--listen", "127.0.0.1:0"]
    with (state / "log").open("w") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    assert process.stdout is not None
    url = process.stdout.readline().split()[0]
    try:
        yield Served(Client(Controller(url, secret, shown_certificate(url))), process.pid)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def waves(  # noqa: PLR0917
    served: Served, program: Path, nodes: Sequence[str], jobs: int, rounds: int, state: Path
) -> str:
    """All jobs start on the first node, so that no two share a process id, are spread over all nodes, and then move each to the
    next node, all at once, again and again; each goes on without a gap.
    """
    client, names = served.client, [f"wave{os.getpid()}-{n}" for n in range(jobs)]

    def ask(path: str, words: dict[str, object]) -> dict[str, object]:
        task = client.post(path, words)
        while task["state"] in ("waiting", "running"):
            task = client.get(f"/tasks/{task['number']}", wait=30)
        # a process id that another process of a busy machine has taken is a reason to refuse a move
        assert task["state"] == "done" or "was not touched" in task["error"]["message"], task
        return dict(task)

    def move(goals: dict[str, str]) -> tuple[float, int]:
        begin = time.perf_counter()
        tasks = list(pool.map(lambda goal: ask(f"/jobs/{goal[0]}/migrate", {"to": goal[1]}), goals.items()))
        return time.perf_counter() - begin, sum(task["state"] == "done" for task in tasks)

    begin = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            words = {"program": str(program), "arguments": FOREVER, "node": nodes[0]}
            list(pool.map(lambda name: ask("/jobs", {**words, "name": name}), names))
            started = time.perf_counter() - begin
            places = [
                {name: nodes[(n + wave) % len(nodes)] for n, name in enumerate(names)}
                for wave in range(rounds + 1)
            ]
            spread, _ = move({name: place for name, place in places[0].items() if place != nodes[0]})
            cpu, changes = served.cpu(), _changes(state)
            made = []
            for goals in places[1:]:
                here = {job["name"]: job["node"] for job in client.jobs()}
                made.append(move({name: goal for name, goal in goals.items() if here[name] != goal}))
            seconds, moves = sum(one for one, _ in made), sum(count for _, count in made)
            cpu, changes = served.cpu() - cpu, _changes(state) - changes
            memory = served.memory()
            logs = list(pool.map(lambda name: b"".join(client.log(name, "stdout")).split(), names))
            for found in logs:
                assert found == [b"%d" % n for n in range(len(found))] and len(found) > 5, "a line is lost"
            known = {job["name"]: job for job in client.jobs()}
            alive = sum(known[name]["state"] == "running" for name in names)
        finally:
            kill = "/jobs/{}/kill?wait=60"
            list(pool.map(lambda name: client.post(kill.format(name), {"remove": True}), names))
    return (
        f"{jobs} jobs started on {nodes[0]} in {started:.1f} s, spread over {', '.join(nodes)} in {spread:.1f} s; "
        f"{moves} migrations in {rounds} waves, {jobs * rounds - moves} refused or not needed; "
        f"{alive} of {jobs} jobs run on, no line lost, "
        f"{60 * moves / seconds:.0f} a minute; controller: {100 * cpu / seconds:.0f} % of a processor "
        f"({1000 * cpu / moves:.0f} ms a migration), {memory:.0f} MiB, {changes / seconds:.0f} records written a second "
        f"({changes / moves:.0f} a migration); load {os.getloadavg()[0]:.0f}"
    )


def _changes(state: Path) -> int:
    """Rows that were written of tasks, attempts and steps; each row of a task three times, of the others twice."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{state}/jobs.sqlite?mode=ro", uri=True)) as database,
        database,
    ):
        count = "SELECT (SELECT count(*) FROM tasks) * 3 + (SELECT count(*) FROM attempts) * 2"
        count += " + (SELECT count(*) FROM steps) * 2"
        found = int(database.execute(count).fetchone()[0])
    database.close()
    return found


def share(served: Served, program: Path, nodes: Sequence[str], rounds: int, state: Path) -> str:
    """What a migration takes by the controller beyond what it takes without: the same job and nodes, in turn, in both directions.

    The controller's share is that of a request over HTTPS, until its answer, against the same use case in this process, whose
    connections to the nodes stand as the controller's do. Beside it the command, which connects or asks the controller.
    """
    client = served.client
    words = {"program": str(program), "arguments": FOREVER, "node": nodes[0], "name": "one"}
    assert client.post("/jobs?wait=60", words)["state"] == "done"
    (home := state.with_name("user")).mkdir()
    known = {"contexts": {"c": asdict(client.controller)}, "current": None}
    (home / "contexts.json").write_text(json.dumps(known))
    context = Host(JobStore(state)).context(Silent(), Token())

    def request(to: str) -> None:
        task = client.post("/jobs/one/migrate?wait=60", {"to": to})
        assert task["state"] == "done", task

    def command(to: str, *more: str) -> None:
        of_user = {"TRANSPROC_HOME": str(home)} if more else {}
        run([str(COMMAND), "--quiet", *more, "migrate", "one", "--to", to], env=os.environ | of_user)

    ways: dict[str, Callable[[str], object]] = {
        "without": lambda to: operations.migrate(context, "one", to),
        "by the controller": request,
        "command": command,
        "command by the controller": lambda to: command(to, "--controller", "c"),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(-1, rounds):  # in the first one, everything is connected and loaded
        for hop, way in enumerate(ways if number % 2 else reversed(ways)):
            begin = time.perf_counter()
            ways[way](nodes[(hop + 1) % 2])
            if number >= 0:
                taken[way].append(time.perf_counter() - begin)
    client.post("/jobs/one/kill?wait=60", {"remove": True})
    medians = ", ".join(f"{way} {1000 * statistics.median(found):.0f} ms" for way, found in taken.items())
    plain, ours = (
        _quartiles(
            [by / bare for bare, by in zip(taken[one], taken[f"{prefix}by the controller"], strict=True)]
        )
        for one, prefix in (("without", ""), ("command", "command "))
    )
    return (
        f"a migration between {' and '.join(nodes)}, {rounds} rounds in turn: {medians}; ratio by the controller {plain}, "
        f"of commands {ours}; load {os.getloadavg()[0]:.1f}"
    )


def _quartiles(found: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(found, n=4)
    return f"{middle:.3f} (quartiles {low:.3f} to {high:.3f})"


def answers(directory: Path, configuration: Path, jobs: int) -> str:
    """With so many jobs in the records."""
    state = directory / f"state{jobs}"
    store = JobStore(state)
    job = Job("one", "na", ["prog", "argument"], pid=4711, state=State.EXITED, exit="status 0")
    record = json.dumps({key: value for key, value in job.as_dict().items() if key != "history"})
    with contextlib.closing(sqlite3.connect(store.path)) as database, database:
        rows = [(f"job{n:05}", f"{store.host}-{n}", 1, "exited", record) for n in range(jobs)]
        database.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?)", rows)
    database.close()
    with serving(state, configuration) as served:
        found = [f"{jobs} jobs:"]
        for what, path in (
            ("page of 100", "/jobs?limit=100"),
            ("all", f"/jobs?limit={min(jobs, 10_000)}"),
            ("one job", "/jobs/job00007"),
        ):
            times = []
            for _ in range(7):
                begin = time.perf_counter()
                served.client.get(path)
                times.append(1000 * (time.perf_counter() - begin))
            found.append(f"{what} {statistics.median(times[1:]):.0f} ms,")
        cpu = served.cpu()
        time.sleep(10)
        found.append(f"idle {10 * (served.cpu() - cpu):.1f} % of a processor, {served.memory():.0f} MiB")
    return " ".join(found)


def writes(directory: Path) -> str:
    """How many changes the records take, each on the disk before the next."""
    store = JobStore(directory / "writes")
    job = Job("j", "na", ["prog"], state=State.RUNNING)
    store.create(job)
    attempt, count, begin = store.begin(job, "migrate", "nb"), 0, time.perf_counter()
    while time.perf_counter() - begin < 2:
        store.step(attempt, count, "dump")
        count += 1
    return f"records: {count / 2:.0f} writes a second, one after the other"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--waves", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15, help="of the controller's share")
    parser.add_argument(
        "--share", action="store_true", help="only the controller's share, between the last two of the nodes"
    )
    parser.add_argument("--only-waves", action="store_true", help="only the jobs that move in waves")
    parser.add_argument(
        "--nodes", default="local,na,nb", help="over which they are spread; x86 and arm are the lab's"
    )
    options = parser.parse_args(arguments)
    if {guest.node for guest in GUESTS} & set(options.nodes.split(",")):
        Lab().up()
    with tempfile.TemporaryDirectory() as place:
        directory, program = Path(place), Path(place) / "counter"
        source = Path(__file__).parents[1] / "native" / "counter.c"
        run([Path(sys.executable).with_name("transproc-cc"), "-O2", "-o", program, source])
        everything = not (options.share or options.only_waves)
        if everything:
            print(writes(directory))
        with NativeNodes(directory / "nodes", Setting(exchange="")) as nodes:
            for jobs in (1000, 10_000) if everything else ():
                print(answers(directory, nodes.configuration, jobs), flush=True)
            state, names = directory / "state", options.nodes.split(",")
            with serving(state, nodes.configuration) as served:
                os.environ |= {"TRANSPROC_STATE": str(state), "TRANSPROC_NODES": str(nodes.configuration)}
                if not options.only_waves:
                    print(share(served, program, names[-2:], options.rounds, state), flush=True)
                if not options.share:
                    print(waves(served, program, names, options.jobs, options.waves, state), flush=True)


if __name__ == "__main__":
    main()

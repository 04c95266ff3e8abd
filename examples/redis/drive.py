"""Redis moves between the lab's machines under constant load: `transproc example redis` runs this.

Usage: drive.py REDIS-SERVER, with $NODES (two of the lab's machines), $HOPS and $SEED.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from client import Connection
from load import Load

PORT = 7783
CALM_SECONDS = 5.0
"""Of load before the first migration, and after each."""


def transproc(*words: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(["transproc", "--quiet", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"transproc {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def reach(node: str) -> list[str]:
    """A program on that machine that speaks with the server."""
    return ["transproc", "lab", "shell", node, "busybox", "nc", "127.0.0.1", str(PORT)]


def start(server: str, name: str, node: str) -> None:
    """AOF on; no child that writes it anew or saves, since a migration meanwhile would be taken back."""
    options = "--bind 127.0.0.1 --appendonly yes --auto-aof-rewrite-percentage 0 --enable-debug-command yes"
    words = [server, "--port", str(PORT), *options.split(), "--save", ""]
    transproc("run", "--node", node, "--name", name, "--", *words)


def judge(connection: Connection) -> None:
    """What the server holds is what it has written: as RDB, and as AOF."""
    digest = connection.call("DEBUG", "DIGEST")
    for how in ("RELOAD", "LOADAOF"):
        connection.call("DEBUG", how)
        if connection.call("DEBUG", "DIGEST") != digest:
            sys.exit(f"another digest after DEBUG {how}")


def work(load: Load, migrate: Callable[[], None], hops: int) -> None:
    """Migrations while the load goes on."""
    load.start()
    for _ in range(hops):
        time.sleep(CALM_SECONDS)
        migrate()
        before, until = load.steps, time.monotonic() + 60
        while load.is_alive() and load.steps == before and time.monotonic() < until:
            time.sleep(0.1)
        if load.steps == before:
            sys.exit(load.problem or "the server does not answer after a migration")
    time.sleep(CALM_SECONDS)
    load.finish()
    if load.problem:
        sys.exit(load.problem)


def main() -> None:
    nodes, hops, seed = os.environ["NODES"].split(","), int(os.environ["HOPS"]), int(os.environ["SEED"])
    if not {*nodes} <= {"x86", "arm"}:
        sys.exit(f"{','.join(nodes)}: this needs the lab's machines, x86 and arm")
    transproc("lab", "up")
    name = f"redis-{os.getpid()}"
    start(sys.argv[1], name, nodes[0])
    load = Load(lambda: reach(nodes[0]), seed)

    def migrate() -> None:
        transproc("migrate", name, "--to", nodes[1], "--tcp-close", "--timeout", "30")
        nodes.reverse()

    try:
        work(load, migrate, hops)
        connection = Connection(reach(nodes[0]))
        judge(connection)
        connection.send(["SHUTDOWN", "NOSAVE"])
        transproc("wait", name)  # fails unless its status is 0
    finally:
        subprocess.run(["transproc", "--quiet", "kill", "--remove", name], capture_output=True, check=False)
    print(
        f"{load.steps} transactions, {hops} migrations, {load.reconnections} reconnections, "
        f"{load.longest:.1f} s without an answer at most"
    )


main()

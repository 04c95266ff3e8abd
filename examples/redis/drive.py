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


def transproc(*words: str, must: bool = True) -> str:
    """Standard output of a command; ends this program if the command fails, unless it may."""
    done = subprocess.run(["transproc", "--quiet", *words], capture_output=True, text=True, check=False)
    if done.returncode and must:
        sys.exit(f"transproc {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def reach(node: str) -> list[str]:
    """A program on that machine that speaks with the server."""
    return ["transproc", "lab", "shell", node, "busybox", "nc", "127.0.0.1", str(PORT)]


def start(server: str, name: str, node: str) -> None:
    """AOF and RDB on; a child writes one of them most of the time, since it waits a moment after each key."""
    options = "--bind 127.0.0.1 --appendonly yes --enable-debug-command yes --rdb-key-save-delay 3000"
    often = ["--save", "1 1", "--auto-aof-rewrite-percentage", "20", "--auto-aof-rewrite-min-size", "100kb"]
    transproc(
        *("run", "--node", node, "--name", name, "--", server, "--port", str(PORT)), *options.split(), *often
    )


def is_saving(connection: Connection) -> bool:
    """A child of the server is at work."""
    info: bytes = connection.call("INFO", "persistence")
    return b"bgsave_in_progress:1" in info or b"rewrite_in_progress:1" in info


def let_save(connection: Connection) -> None:
    """Waits for the end of the last child."""
    for option, value in (("save", ""), ("auto-aof-rewrite-percentage", "0"), ("rdb-key-save-delay", "0")):
        connection.call("CONFIG", "SET", option, value)
    while is_saving(connection):
        time.sleep(0.2)


def judge(connection: Connection) -> None:
    """What the server holds is what it has written: as RDB, and as AOF."""
    digest = connection.call("DEBUG", "DIGEST")
    for how in ("RELOAD", "LOADAOF"):
        connection.call("DEBUG", how)
        if connection.call("DEBUG", "DIGEST") != digest:
            sys.exit(f"another digest after DEBUG {how}")


def work(load: Load, reach_it: Callable[[], list[str]], migrate: Callable[[], None], hops: int) -> int:
    """Migrations while the load goes on; returns how many took place while a child was writing."""
    load.start()
    saving = 0
    for _ in range(hops):
        time.sleep(CALM_SECONDS)
        look = Connection(reach_it())
        saving += is_saving(look)
        look.close()
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
    return saving


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
        saving = work(load, lambda: reach(nodes[0]), migrate, hops)
        connection = Connection(reach(nodes[0]))
        let_save(connection)
        judge(connection)
        connection.send(["SHUTDOWN", "NOSAVE"])
        transproc("wait", name)  # fails unless its status is 0
    except SystemExit:
        print(transproc("logs", name, must=False)[-2000:], file=sys.stderr)
        raise
    finally:
        transproc("kill", "--remove", name, must=False)
    print(
        f"{load.steps} transactions, {hops} migrations, {saving} while a child wrote a file, {load.reconnections} reconnections, "
        f"{load.longest:.1f} s without an answer at most"
    )


main()

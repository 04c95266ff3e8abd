# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Redis moves between the lab's machines under constant load: `transproc example redis` runs this.

Usage: drive.py REDIS-SERVER [connected], with $NODES (two of the lab's machines), $HOPS and $SEED. `connected`: it has an address
that moves with it, and its clients stay connected; else they connect anew.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from client import Connection
from load import Load
from servers import ADDRESS, CALM_SECONDS, ONTO_ITSELF, Server, reached, started

PORT = 7783
CONNECTED = sys.argv[2:] == ["connected"]
HOST = ADDRESS if CONNECTED else "127.0.0.1"


def start(program: str) -> Server:
    """AOF and RDB on; a child writes one of them most of the time, since it waits a moment after each key."""
    options = f"--bind {HOST} --protected-mode no --appendonly yes --enable-debug-command yes --rdb-key-save-delay 3000"
    often = ["--save", "1 1", "--auto-aof-rewrite-percentage", "20", "--auto-aof-rewrite-min-size", "100kb"]
    return started("redis", [program, "--port", str(PORT), *options.split(), *often], connected=CONNECTED)


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


def work(load: Load, reach: Callable[[], Connection], migrate: Callable[[], None], hops: int) -> int:
    """Migrations while the load goes on; returns how many took place while a child was writing."""
    load.start()
    saving = 0
    for _ in range(hops):
        time.sleep(CALM_SECONDS)
        look = reach()
        saving += is_saving(look)
        look.close()
        migrate()
        load.await_step()
    time.sleep(CALM_SECONDS)
    load.expect_good()
    return saving


def main() -> None:
    hops, seed = int(os.environ["HOPS"]), int(os.environ["SEED"])
    server = start(sys.argv[1])

    def reach() -> Connection:
        return reached(lambda: Connection(server.nodes[0], PORT, server.host))

    load = Load(reach, seed)
    try:
        saving = work(load, reach, server.migrate, hops)
        if server.connected:
            load.expect_connected()
        connection = reach()
        let_save(connection)
        judge(connection)
        connection.ask(["SHUTDOWN", "NOSAVE"])
        server.wait()
    except BaseException:
        print(server.log(), file=sys.stderr)
        raise
    finally:
        server.end()
    moved = "migrations onto itself" if ONTO_ITSELF else f"{hops} migrations"
    print(
        f"{load.steps} transactions, {moved}, {saving} while a child wrote a file, {load.reconnections} reconnections, "
        f"{load.longest:.1f} s without an answer at most"
    )


main()

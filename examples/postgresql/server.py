# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PostgreSQL's server moves between the lab's machines under load: `transproc example postgresql` runs this.

Usage: server.py TREE, with $NODES (two of the lab's machines), $HOPS and $SEED. It has an address that moves with it: each client
stays in its session, with a temporary table, open transactions and locks, and every transaction that was committed is there.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from client import Client
from cluster import USER, make
from servers import ADDRESS, CALM_SECONDS, Work, the_nodes, transproc

PORT = 7785
CLIENTS = 3
ACCOUNTS = 50
EACH = 1000
SERVER = f"""
listen_addresses = '{ADDRESS}'
port = {PORT}
unix_socket_directories = ''        # with a path they lie in the node's /tmp
max_connections = 20
autovacuum_naptime = 5
checkpoint_timeout = 30
"""
TABLES = (
    f"create table account as select id, {EACH} as money from generate_series(1, {ACCOUNTS}) id",
    "alter table account add primary key (id)",
    "create table done (client int, step int, primary key (client, step))",
    "create table text as select g as n, md5(g::text) as s from generate_series(1, 5000) g",
)
PARALLEL = (
    "set min_parallel_table_scan_size = 0",
    "set parallel_setup_cost = 0",
    "set parallel_tuple_cost = 0",
    "set max_parallel_workers_per_gather = 2",
)
"""So that a query of a small table has workers, which share memory with it."""
QUERY = "select count(*), sum(n), min(s), max(s) from text where s like '%e%'"


class Bank(Work):
    """A session that moves money between accounts, and notes each transaction that was committed."""

    def __init__(self, number: int, node: str, seed: int) -> None:
        super().__init__()
        self._number, self._chance = number, random.Random(seed)
        self._client = Client(node, ADDRESS, PORT)
        self.longest = 0.0
        """Seconds that a transaction has taken at most."""

    def work(self) -> None:
        """As `Work` says."""
        ask = self._client.query
        ask("create temporary table mine (step int)")
        for setting in PARALLEL:
            ask(setting)
        session, text = ask("select pg_backend_pid()"), ask(QUERY)
        while not self.end.is_set():
            begin = time.monotonic()
            self._transfer()
            self.steps += 1
            expect("sum of all accounts", ask("select sum(money) from account"), [[str(ACCOUNTS * EACH)]])
            expect("query with workers", ask(QUERY), text)
            self.longest = max(self.longest, time.monotonic() - begin)
        expect("session", ask("select pg_backend_pid()"), session)
        expect("temporary table", ask("select count(*), max(step) from mine"), [[str(self.steps)] * 2])
        self._client.close()

    def _transfer(self) -> None:
        low, high = sorted(self._chance.sample(range(1, ACCOUNTS + 1), 2))
        amount = self._chance.randrange(-100, 100)
        for statement in (
            "begin",
            f"update account set money = money - {amount} where id = {low}",
            f"update account set money = money + {amount} where id = {high}",
            f"insert into done values ({self._number}, {self.steps + 1})",
            f"insert into mine values ({self.steps + 1})",
            "commit",
        ):
            self._client.query(statement)


def expect(what: str, found: object, right: object) -> None:
    """Raises `ValueError` if that is not the same."""
    if found != right:
        raise ValueError(f"{what}: {found}, expected {right}")


def start(tree: Path, job: str, node: str) -> None:
    """A new database, and its server."""
    with tempfile.TemporaryDirectory(prefix="transproc-", ignore_cleanup_errors=True) as work:
        files = make(tree, Path(work))
        with (files / "data/postgresql.conf").open("a") as file:
            file.write(SERVER)
        with (files / "data/pg_hba.conf").open("a") as file:
            file.write(f"host all all {ADDRESS}/24 trust\n")
        words = ["--user", USER, "--address", f"{ADDRESS}/24", "--files", str(files)]
        transproc(
            "run", "--node", node, "--name", job, *words, "--", str(tree / "bin/postgres"), "-D", "data"
        )


def reach(node: str) -> Client:
    """A session, when the server is ready; ends this program if that does not come."""
    until = time.monotonic() + 60
    while True:
        try:
            return Client(node, ADDRESS, PORT)
        except OSError as error:
            if time.monotonic() > until:
                sys.exit(f"the server does not answer: {error}")
            time.sleep(0.3)


def judge(client: Client, banks: list[Bank]) -> None:
    """Exactly the transactions are there of which the clients know. Ends this program if not."""
    for number, bank in enumerate(banks):
        found = client.query(f"select count(*), min(step), max(step) from done where client = {number}")
        if found != [[str(bank.steps), "1", str(bank.steps)]]:
            sys.exit(f"client {number}: {found}, expected {bank.steps} transactions")
    for statement in ("reindex table account", "checkpoint", "vacuum full"):
        client.query(statement)
    found = client.query("select count(*), sum(money) from account")
    if found != [[str(ACCOUNTS), str(ACCOUNTS * EACH)]]:
        sys.exit(f"accounts: {found}")


def main() -> None:
    tree, nodes, hops = Path(sys.argv[1]), the_nodes(), int(os.environ["HOPS"])
    seed, job = int(os.environ["SEED"]), f"postgresql-{os.getpid()}"
    transproc("lab", "up")
    start(tree, job, nodes[0])
    client_node = nodes[0]
    try:
        client = reach(client_node)
        for statement in TABLES:
            client.query(statement)
        banks = [Bank(number, client_node, seed + number) for number in range(CLIENTS)]
        for bank in banks:
            bank.start()
        for _ in range(hops):
            time.sleep(CALM_SECONDS)
            transproc("migrate", job, "--to", nodes[1], "--timeout", "30")
            nodes.reverse()
            for bank in banks:
                bank.await_step()
        time.sleep(CALM_SECONDS)
        for bank in banks:
            bank.expect_good()
        judge(client, banks)
        processes = client.query("select count(distinct pid) from pg_stat_activity")[0][0]
        client.close()
    except SystemExit:
        print(transproc("logs", "--stderr", job, must=False)[-3000:], file=sys.stderr)
        raise
    finally:
        transproc("kill", "--remove", job, must=False)
    steps, longest = sum(bank.steps for bank in banks), max(bank.longest for bank in banks)
    print(
        f"{steps} transactions, {processes} processes beside the server's first, {hops} migrations, no reconnection, "
        f"{longest:.1f} s for a transaction at most"
    )


main()

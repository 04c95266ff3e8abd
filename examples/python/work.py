# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job of many kinds for the interpreter to be moved in: its output is the same on every machine and in every run.

python work.py [ROUNDS]
"""

import array
import collections
import contextlib
import csv
import dataclasses
import datetime
import decimal
import functools
import hashlib
import heapq
import io
import itertools
import json
import math
import pathlib
import pickle
import queue
import random
import re
import sqlite3
import struct
import sys
import threading
import unicodedata
import zlib


def primes():
    """A generator that stays suspended between rounds."""
    found = []
    for number in itertools.count(2):
        root = math.isqrt(number)
        if all(number % prime for prime in itertools.takewhile(root.__ge__, found)):
            found.append(number)
            yield number


def pi(digits):
    """By Machin's formula, in decimal arithmetic."""
    with decimal.localcontext() as context:
        context.prec = digits + 5

        def arccot(n):
            power = total = decimal.Decimal(1) / n
            divisor, before = 1, 0
            while total != before:
                power, divisor, before = power / (-n * n), divisor + 2, total
                total += power / divisor
            return total

        return str(4 * (4 * arccot(5) - arccot(239)))[: digits + 2]


@dataclasses.dataclass(order=True)
class Event:
    """Something in a queue."""

    time: float
    name: str = dataclasses.field(compare=False)


def simulate(seed, count):
    """A discrete simulation: a heap of events, the Mersenne twister, floating point."""
    source = random.Random(seed)
    events = [Event(source.expovariate(1), f"start {n}") for n in range(20)]
    heapq.heapify(events)
    tally = collections.Counter()
    for _ in range(count):
        event = heapq.heappop(events)
        tally[event.name.split()[0]] += 1
        kind = source.choice(("start", "work", "end"))
        heapq.heappush(events, Event(event.time + source.gammavariate(2, 0.5), f"{kind} {len(events)}"))
    return sorted(tally.items()), math.fsum(event.time for event in events)


@functools.lru_cache(maxsize=500)
def ackermann(m, n):
    """Deep recursion in Python is recursion in C only through lru_cache."""
    if m == 0:
        return n + 1
    return ackermann(m - 1, 1 if n == 0 else ackermann(m, n - 1))


def documents(count):
    """JSON, pickles, CSV, structures and compression of the same data."""
    rows = [{"id": n, "name": f"näme {n}", "value": n / 7, "tags": list(range(n % 5))} for n in range(count)]
    text = json.dumps(rows, ensure_ascii=False, sort_keys=True)
    assert json.loads(text) == rows and pickle.loads(pickle.dumps(rows)) == rows
    table = io.StringIO()
    csv.writer(table).writerows((row["id"], row["name"], row["value"]) for row in rows)
    packed = b"".join(struct.pack("<id", row["id"], row["value"]) for row in rows)
    words = re.findall(r"n\w+ (\d*7)", text)
    return (
        len(text),
        len(words),
        zlib.crc32(zlib.compress(packed)),
        hashlib.sha256(table.getvalue().encode()).hexdigest()[:16],
    )


def threads(jobs):
    """Four threads that share a queue; each job's result is independent of who took it."""
    todo, done, lock = queue.Queue(), {}, threading.Lock()

    def work():
        while (job := todo.get()) is not None:
            value = hashlib.blake2b(b"%d" % job, digest_size=8)
            for _ in range(300):
                value.update(value.digest())
            with lock:
                done[job] = value.hexdigest()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for job in [*range(jobs), *[None] * len(workers)]:
        todo.put(job)
    for worker in workers:
        worker.join()
    return hashlib.sha1("".join(done[job] for job in range(jobs)).encode()).hexdigest()[:16]


def database(connection, turn, count):
    """Transactions on a database in a file, with a function of Python's called by SQLite."""
    with connection:
        connection.executemany("insert into item values (?, ?)", ((turn, n * n % 97) for n in range(count)))
    with contextlib.suppress(ZeroDivisionError), connection:  # rolled back
        connection.execute("delete from item")
        raise ZeroDivisionError
    query = "select count(*), sum(value), sum(odd(value)) from item"
    return connection.execute(query).fetchone()


def main(rounds):
    """One line for each round."""
    numbers, history = primes(), array.array("d")
    connection = sqlite3.connect("items.db")
    connection.execute("create table if not exists item (turn, value)")
    connection.create_function("odd", 1, lambda value: value & 1)
    log = pathlib.Path("log").open("w")  # noqa: SIM115 (it is to be open when the interpreter moves)
    for turn in range(rounds):
        prime = next(itertools.islice(numbers, 200, None))
        tally, sum_of_times = simulate(turn, 3000)
        history.append(sum_of_times)
        when = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(days=prime)
        facts = (prime, tally, sum_of_times.hex(), pi(150 + turn)[-8:], documents(200), threads(60))
        more = (database(connection, turn, 300), ackermann(2, 20 + turn % 50), f"{when:%A %d %B %Y}")
        print(turn, *facts, *more, unicodedata.normalize("NFD", "é").encode().hex(), flush=True)
        print(turn, hashlib.md5(history.tobytes()).hexdigest(), file=log, flush=True)
        if turn % 10 == 9:
            try:
                int(f"turn {turn}")
            except ValueError as error:
                print("caught", error, flush=True)
    connection.close()
    print("end", rounds)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)

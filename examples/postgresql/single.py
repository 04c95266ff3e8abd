# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PostgreSQL without a server: one process executes a script, and moves meanwhile. `transproc example postgresql` runs this.

Usage: single.py TREE, with $NODES (two of the lab's machines, or this one and one of them), $HOPS and $SEED. All that it prints
is the same as in a run that stays where it is.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from cluster import USER, make
from servers import LOCAL, shell, the_nodes, transproc

ROUNDS = 16
ROUND = """\
insert into t select g, g * g / 7.0, md5(g::text || {n}) from generate_series({low}, {high}) g;
select count(*), sum(v), min(s), max(s) from t;
select n % 7 as k, count(*), avg(v)::numeric(20,6), string_agg(left(s,2), '' order by s) \
from t where n > {high} - 50 group by 1 order by 1;
update t set s = upper(s) where n % 13 = {n} % 13;
select fib({n} * 20), to_char({n} * interval '1 day', 'DDD'), format('%s', sqrt({n}));
select n, rank() over (order by s), lag(v) over (order by s) from t where n % 97 = {n} order by n limit 5;
"""
BEGIN = """\
create table t (n int, v numeric, s text);
create function fib(n int) returns numeric language sql as $$ \
with recursive f(i, a, b) as (select 0, 0::numeric, 1::numeric union all \
select i + 1, b, a + b from f where i < n) select a from f where i = n $$;
"""
END = """\
with recursive w(open) as (select false union all \
select (pg_stat_file('gate', true)).size is not null from (select pg_sleep(0.2) from w where not open) x) \
select count(*) > 0 as open from w where open;
select count(*), sum(v), min(s), max(s) from t;
"""
EVERY_TENTH = """\
create index if not exists ti on t (s);
vacuum analyze t;
"""


def script() -> str:
    """A statement a line, as single-user mode wants it."""
    rounds = [
        ROUND.format(n=n, low=n * 200, high=n * 200 + 199) + (EVERY_TENTH if n % 10 == 3 else "")
        for n in range(ROUNDS)
    ]
    return BEGIN + "".join(rounds) + END


def run(tree: Path, nodes: Sequence[str], moments: Sequence[int]) -> str:
    """What it prints, with a migration whenever it has printed so many lines; before its end it waits for the last of them."""
    job = f"postgres-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="transproc-", ignore_cleanup_errors=True) as work:
        place = Path(work)
        files = make(tree, place)
        (place / "script.sql").write_text(script())
        words = ["--user", USER, "--stdin", str(place / "script.sql"), "--files", str(files)]
        postgres = [str(tree / "bin/postgres"), "--single", "-D", "data", "postgres"]
        transproc("run", "--node", nodes[0], "--name", job, *words, "--", *postgres)
        try:
            for number, lines in enumerate(moments):
                while len(transproc("logs", job).splitlines()) < lines:
                    time.sleep(0.1)
                transproc("migrate", job, "--to", nodes[(number + 1) % 2], "--timeout", "60")
            gate = f"/var/lib/transproc/jobs/{job}/data/work/data/gate"
            shell(nodes[len(moments) % 2], "touch", gate)
            transproc("wait", job)  # fails unless its status is 0
            return transproc("logs", job)
        except SystemExit:
            print(transproc("logs", "--stderr", job, must=False)[-2000:], file=sys.stderr)
            raise
        finally:
            transproc("kill", "--remove", job, must=False)


def main() -> None:
    tree, nodes, hops = Path(sys.argv[1]), the_nodes(LOCAL), int(os.environ["HOPS"])
    chance = random.Random(int(os.environ["SEED"]))
    transproc("lab", "up")
    plain = run(tree, nodes, [])
    lines = plain.splitlines()
    moved = run(tree, nodes, sorted(chance.randrange(len(lines) * 2 // 3) for _ in range(hops)))
    for number, (one, other) in enumerate(zip(lines, moved.splitlines(), strict=False)):
        if one != other:
            sys.exit(f"line {number + 1}: {other!r} after migrations, {one!r} without")
    if plain != moved:
        sys.exit(f"{len(moved)} bytes of output after migrations, {len(plain)} without")
    print(f"{len(lines)} lines of output, {hops} migrations, identical")


main()

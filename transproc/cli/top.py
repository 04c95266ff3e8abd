# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc top`: nodes and jobs, live."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transproc.cli import common, options
from transproc.cli import nodes as node_list

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from transproc.cluster.history import AttemptRecord
    from transproc.cluster.job import Job

BAR = 10
"""Characters of a full one."""


def top(
    *,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", help="Between two looks.", min=0.2)
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, then the end.")] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Shows the nodes with their load and memory, and the jobs with what is done with them, again and again until Ctrl-C.

    A node has a second to answer; '?': it has not yet. Ended jobs are not shown.

    \b
    Examples:
      transproc top
      transproc top --once --json
    """
    if as_json:
        common.show_json(_look())
    elif once or not sys.stdout.isatty():
        _print(_look())
    else:
        _watch(every)


def _look() -> dict[str, Any]:
    """Everything there is to see now, of this host or of the controller."""
    from transproc.cluster.job import Job, State

    entries = node_list.look(1.0)
    if (there := common.remote()) is not None:
        found = [Job.from_dict({"history": [], **entry}) for entry in there.jobs()]
        living = [job for job in found if job.state is not State.EXITED]
        return {"nodes": entries, "jobs": [_job(job, None, {}) for job in living]}
    reader = common.host().reader
    jobs = [listed.job for listed in reader.jobs() if listed.job is not None]
    living = [job for job in jobs if job.state is not State.EXITED]
    busy = {attempt.job: attempt for attempt in reader.under_way()}
    arrived: dict[str, float] = {}
    names = [job.name for job in living]
    for start in range(0, len(names), 500):
        arrived |= reader.arrivals(names[start : start + 500])
    return {"nodes": entries, "jobs": [_job(job, busy.get(job.name), arrived) for job in living]}


def _job(job: Job, attempt: AttemptRecord | None, arrived: dict[str, float]) -> dict[str, Any]:
    """`doing`: the command that works on it, or was cut off, and its step; `there`: seconds since it came to its node."""
    step = attempt.steps[-1].name if attempt and attempt.steps else None
    doing = {"kind": attempt.kind, "step": step, "target": attempt.target} if attempt else None
    there = max(0.0, time.time() - arrived.get(job.name, job.started))
    return {
        **{"name": job.name, "state": str(job.state), "node": job.node, "pid": job.pid, "moves": job.moves},
        **{"owes": job.owes, "doing": doing, "there": round(there, 1), "command": " ".join(job.argv)},
    }


def _print(seen: dict[str, Any]) -> None:
    common.table([_node_row(one) for one in seen["nodes"]], NODE_HEADER)
    typer.echo()
    common.table([_job_row(one) for one in seen["jobs"]], JOB_HEADER)


def _watch(every: float) -> None:
    from rich.live import Live

    try:
        with Live(_screen(_look()), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(_screen(_look()), refresh=True)
    except KeyboardInterrupt:
        return


def _screen(seen: dict[str, Any]) -> Group:
    from rich.console import Group

    return Group(
        _table(NODE_HEADER, [_node_row(one) for one in seen["nodes"]]),
        "",
        _table(JOB_HEADER, [_job_row(one) for one in seen["jobs"]]),
    )


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    """What does not fit is cut off. Cells are text: names of programs are no markup."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold reverse", expand=True)
    for title in header:
        made.add_column(title, no_wrap=True, ratio=1 if title == header[-1] else None)
    for row in rows:
        made.add_row(*map(Text, row))
    return made


NODE_HEADER = ("NODE", "STATE", "ISA", "LOAD", "", "MEMORY", "", "JOBS", "LABELS")
JOB_HEADER = ("JOB", "STATE", "NODE", "SINCE", "HOPS", "DOING", "COMMAND")


def _node_row(one: dict[str, Any]) -> tuple[str, ...]:
    facts = one["facts"]
    limit = "" if one["capacity"] is None else f"/{one['capacity']}"
    jobs, labels = f"{one['jobs']}{limit}", ",".join(one["labels"])
    if facts is None:
        return (one["name"], one["state"], "?", "?", "", "?", "", jobs, labels)
    load, used = facts["load"] / facts["cpus"], 1 - facts["available"] / max(1, facts["memory"])
    return (
        *(one["name"], one["state"], facts["isa"], f"{load:.2f}", _bar(load)),
        *(f"{used:.0%}", _bar(used), jobs, labels),
    )


def _job_row(one: dict[str, Any]) -> tuple[str, ...]:
    doing = one["doing"]
    words = "" if doing is None else " ".join(filter(None, (doing["kind"], doing["step"])))
    where = one["node"] + (f" ({one['owes']})" if one["owes"] else "")
    if doing and doing["target"] not in (None, one["node"]):
        where = f"{one['node']} → {doing['target']}"
    return (
        *(one["name"], one["state"], where, _duration(one["there"]), str(one["moves"])),
        *(words, one["command"]),
    )


def _bar(share: float) -> str:
    filled = min(BAR, round(share * BAR))
    return "█" * filled + "░" * (BAR - filled)


def _duration(seconds: float) -> str:
    """The two largest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if minutes < 1:
        return f"{seconds:.0f}s"
    if hours < 1:
        return f"{minutes}m{int(seconds) % 60:02d}s"
    return f"{hours}h{minutes % 60:02d}m" if days < 1 else f"{days}d{hours % 24:02d}h"


app = common.application(top)

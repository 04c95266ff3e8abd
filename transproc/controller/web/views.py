# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the lists of jobs and nodes show: from records to rows. Nothing is asked here, and nothing is escaped: templates do."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.cluster.history import AttemptRecord, Listed
from transproc.cluster.job import Job, State
from transproc.cluster.operations import Forecast
from transproc.controller.taskrecords import Task, TaskState
from transproc.controller.web import text
from transproc.errors import TransprocError
from transproc.text import human, plural

PAGE = 50
"""Jobs on a page."""
LONGEST = 200
"""Characters of a search."""
DAMAGED = "damaged"
GROUPS = ("running", "stopped", "ended")
"""What jobs are filtered by."""


@dataclass(frozen=True)
class JobRow:
    """`activity`: what is being done with it, and `group` one of `GROUPS`, or DAMAGED; `since`: when it came to its node."""

    name: str
    state: str
    group: str
    node: str
    isa: str
    since: float
    age: str
    hops: int
    user: str
    pid: int
    command: str
    activity: str
    movable: bool


@dataclass(frozen=True)
class Query:
    """Which jobs are looked at, as the address of the page says it; what makes no sense there is ignored."""

    search: str = ""
    group: str = ""
    node: str = ""
    sort: str = "name"
    down: bool = False
    page: int = 1

    @classmethod
    def read(cls, words: Mapping[str, str]) -> Query:
        """From the words of an address."""
        sort = words.get("sort", "name")
        group, page = words.get("state", ""), words.get("page", "1")
        return cls(
            words.get("q", "").strip()[:LONGEST],
            group if group in GROUPS else "",
            words.get("node", "")[:LONGEST],
            sort.removeprefix("-") if sort.removeprefix("-") in _KEYS else "name",
            sort.startswith("-"),
            int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1,
        )

    def address(self, **changes: str | int | bool) -> str:
        """The page with something else of it looked at; another choice begins at its first page."""
        other = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]
        words = {"q": other.search, "state": other.group, "node": other.node}
        words |= (
            {"sort": ("-" if other.down else "") + other.sort}
            if (other.sort, other.down) != ("name", False)
            else {}
        )
        words |= {"page": str(other.page)} if other.page > 1 else {}
        return "?" + urlencode({key: value for key, value in words.items() if value})

    def sorted_by(self, column: str) -> str:
        """The same, ordered by a column; twice the same turns the order."""
        return self.address(sort=column, down=self.sort == column and not self.down)


@dataclass(frozen=True)
class JobList:
    """One page of the jobs that were asked for; `counts` by group, of those that match the rest of the query."""

    query: Query
    rows: Sequence[JobRow]
    counts: Mapping[str, int]
    matching: int
    total: int
    pages: int


def job_list(
    listed: Sequence[Listed],
    query: Query,
    *,
    arrivals: Callable[[Sequence[str]], Mapping[str, float]],
    under_way: Iterable[AttemptRecord],
    isas: Mapping[str, str],
    now: float,
) -> JobList:
    """The page of the list. `arrivals` is asked for the jobs whose time matters; `isas` by node."""
    found = [one for one in listed if _matches(one, query)]
    counts = Counter(_group(one) for one in found)
    chosen = [one for one in found if query.group in ("", _group(one))]
    came = arrivals([one.name for one in chosen]) if query.sort == "since" else None
    key = _KEYS[query.sort]
    chosen.sort(key=lambda one: key(one, came or {}), reverse=query.down)
    pages = max(1, -(-len(chosen) // PAGE))
    page = min(max(query.page, 1), pages)
    part = chosen[(page - 1) * PAGE : page * PAGE]
    came = arrivals([one.name for one in part]) if came is None else came
    busy = {attempt.job: activity(attempt) for attempt in under_way}
    rows = [job_row(one, isas, came, busy, now) for one in part]
    return JobList(replace(query, page=page), rows, counts, len(chosen), len(listed), pages)


def job_row(
    listed: Listed,
    isas: Mapping[str, str],
    arrivals: Mapping[str, float],
    busy: Mapping[str, str],
    now: float,
) -> JobRow:
    """What a list says of one job."""
    job = listed.job
    if job is None:
        return JobRow(
            listed.name, DAMAGED, DAMAGED, "", "", 0.0, "", 0, "", 0, "its record cannot be read", "", False
        )
    since = arrivals.get(job.name, job.started)
    return JobRow(
        job.name,
        state_text(job),
        group_of(job),
        job.node,
        isas.get(job.node, ""),
        since,
        text.age(now - since),
        job.moves,
        job.user,
        job.pid,
        shlex.join(job.argv),
        busy.get(job.name, ""),
        job.state in (State.RUNNING, State.PAUSED) and job.name not in busy,
    )


def state_text(job: Job) -> str:
    """The state in a word or two; of a job that has ended, how; of one that owes memory, whence that comes."""
    if job.state is State.EXITED and job.exit:
        return f"ended: {job.exit}"
    return f"{job.state}: {job.owes}" if job.owes else str(job.state)


def activity(attempt: AttemptRecord) -> str:
    """What is under way, in a few words."""
    what = {
        "migrate": "migrating",
        "kill": "being killed",
        "pause": "pausing",
        "dump": "dumping",
        "resume": "resuming",
    }
    words = what.get(attempt.kind, attempt.kind)
    words += f" to {attempt.target}" if attempt.target else ""
    return words + (f": {attempt.steps[-1].name}" if attempt.steps else "")


@dataclass(frozen=True)
class Action:
    """A button of a job's page; `asks`: it opens a form first."""

    name: str
    word: str
    kind: str = ""
    key: str = ""
    asks: bool = False


def job_actions(job: Job | None, *, busy: bool) -> list[Action]:
    """What can be done with a job now. While something is done with it that is nothing else."""
    if job is None or busy:
        return []
    found = []
    if job.state in (State.RUNNING, State.PAUSED):
        found.append(Action("migrate", "Migrate…", "primary", "m", asks=True))
    if job.state is State.RUNNING:
        found.append(Action("pause", "Pause"))
    if job.state in (State.RUNNING, State.PAUSED):
        found.append(Action("checkpoint", "Checkpoint"))
    if job.stopped:
        found.append(Action("resume", "Resume"))
    found.append(Action("kill", "Remove…" if job.state is State.EXITED else "Kill…", "danger", asks=True))
    return found


def forecast_text(found: Forecast) -> str:
    """What a migration would take."""
    span = found.downtime
    times = " to ".join(dict.fromkeys(text.duration(seconds) for seconds in (span.low, span.high)))
    return f"would work: {human(found.memory)} of memory, down for {times} ({found.basis})"


@dataclass(frozen=True)
class TaskRow:
    """A task in a list; `group` as for jobs: "running", "ended", or "failed"."""

    number: int
    kind: str
    job: str
    who: str
    state: str
    group: str
    age: str
    took: str
    message: str


def task_row(task: Task, now: float) -> TaskRow:
    """What a list says of one task."""
    begun = task.started or task.created
    good = task.state in (TaskState.WAITING, TaskState.RUNNING, TaskState.DONE)
    group = "failed" if not good else "ended" if task.state.ended else "running"
    return TaskRow(
        task.number,
        task.kind,
        task.job or "",
        task.who,
        str(task.state),
        group,
        text.age(now - task.created),
        text.duration((task.ended or now) - begun),
        str((task.error or {}).get("message", "")),
    )


@dataclass(frozen=True)
class NodeCard:
    """`status`: "up", "down" or "asking"; `load` and `memory`: shares of what there is; `full`: it takes no more jobs."""

    name: str
    isa: str
    status: str
    problem: str
    load: float
    load_text: str
    memory: float
    memory_text: str
    memory_total: str
    jobs: int
    jobs_text: str
    full: bool
    labels: Sequence[str]
    price: str
    kernel: str
    criu: str


def node_cards(
    nodes: Mapping[str, Description],
    facts: Mapping[str, Facts | TransprocError],
    listed: Iterable[Listed],
) -> list[NodeCard]:
    """All nodes, and those that only a job's record knows any more. Last come those that are neither there nor missed."""
    held = Counter(one.job.node for one in listed if one.job and one.job.state is not State.EXITED)
    names = [*nodes, *sorted(held.keys() - nodes.keys())]
    cards = [_card(name, nodes.get(name), facts.get(name), held[name]) for name in names]
    return sorted(cards, key=lambda card: card.status == "down" and not card.jobs)


def _card(
    name: str, description: Description | None, found: Facts | TransprocError | None, jobs: int
) -> NodeCard:
    described = description or Description()
    capacity = described.capacity
    holds = f"{jobs} of {capacity} jobs" if capacity is not None else plural(jobs, "job")
    price = "" if described.price is None else f"{described.price:g} an hour"
    full = capacity is not None and jobs >= capacity
    labels = sorted(described.labels)
    if isinstance(found, Facts):
        used = max(found.memory - found.available, 0)
        return NodeCard(
            name, found.isa, "up", "", min(found.busy, 1.0), f"{found.load:.2f} on {plural(found.cpus, 'CPU')}",
            used / found.memory if found.memory else 0.0, f"{human(found.available)} free", human(found.memory),
            jobs, holds, full, labels, price, found.kernel, found.criu,
        )  # fmt: skip
    status, problem = "asking", ""
    if description is None:
        status, problem = "down", "is in no list of nodes any more"
    elif found is not None:
        status, problem = "down", found.message.removeprefix(f"node {name}: ")
    return NodeCard(name, "", status, problem, 0.0, "", 0.0, "", "", jobs, holds, full, labels, price, "", "")


def group_of(job: Job) -> str:
    """Of a job's state."""
    return "ended" if job.state is State.EXITED else "stopped" if job.stopped else "running"


def _group(listed: Listed) -> str:
    return group_of(listed.job) if listed.job else DAMAGED


def _matches(listed: Listed, query: Query) -> bool:
    job = listed.job
    if query.node and (job is None or job.node != query.node):
        return False
    words = query.search.lower().split()
    if not words:
        return True
    where = listed.name if job is None else f"{job.name} {job.node} {job.user} {' '.join(job.argv)}"
    return all(word in where.lower() for word in words)


_Key = Callable[[Listed, Mapping[str, float]], tuple[object, ...]]


def _by(value: Callable[[Job], object]) -> _Key:
    """Damaged records come first: somebody must see them."""
    return lambda one, _: (one.job is not None, value(one.job) if one.job else "", one.name)


_KEYS: dict[str, _Key] = {
    "name": lambda one, _: (one.name,),
    "state": _by(lambda job: job.state),
    "node": _by(lambda job: job.node),
    "hops": _by(lambda job: job.moves),
    "user": _by(lambda job: job.user),
    "command": _by(lambda job: job.argv),
    "since": lambda one, came: (
        one.job is not None,
        -came.get(one.name, one.job.started) if one.job else 0.0,
        one.name,
    ),
}

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tasks: recorded before they begin, many at once, one for a job, called off, and what a new controller finds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import pytest

from transproc.cluster.operations import Context
from transproc.controller.requests.base import JobName, Request
from transproc.controller.service import Service
from transproc.controller.taskrecords import TaskState
from transproc.controller.tokens import Role
from transproc.errors import BusyError, TransprocError


@dataclass(frozen=True)
class Hold(Request):
    """Holds on until it is let go."""

    kind: ClassVar[str] = "hold"
    name: JobName
    go: ClassVar[threading.Event] = threading.Event()
    node: str = "n"

    def perform(self, context: Context) -> Any:
        with context.events.step("hold") as step:
            while not self.go.wait(0.01):
                context.cancel.check()
            step.detail = "let go"
        if self.name == "bad":
            raise TransprocError("bad", hint="do better")
        context.events.note("well")
        return {"held": self.name}

    def nodes(self, context: Context) -> list[str]:
        return [self.node]


@pytest.fixture(autouse=True)
def hold() -> Iterator[None]:
    Hold.go.clear()
    yield
    Hold.go.set()


def test_a_task_is_recorded_before_it_begins(service: Service) -> None:
    task = service.tasks.submit(Hold("j"), "alice")
    row = service.store.database.one("SELECT kind, job, who, state FROM tasks WHERE number = ?", task.number)
    assert row == ("hold", "j", "alice", "running")
    Hold.go.set()
    done = service.tasks.wait(task.number, 10)
    assert (done.state, done.result) == (TaskState.DONE, {"held": "j"})
    assert service.tasks.load(task.number) == done
    assert done.started is not None and done.ended is not None and done.created <= done.started <= done.ended


def test_a_failure_keeps_its_words(service: Service) -> None:
    Hold.go.set()
    task = service.tasks.wait(service.tasks.submit(Hold("bad"), "alice").number, 10)
    assert task.state is TaskState.FAILED
    assert task.error == {"message": "bad", "hint": "do better", "exit_status": 1, "type": "TransprocError"}


def test_one_task_for_a_job(service: Service) -> None:
    first = service.tasks.submit(Hold("j"), "alice")
    with pytest.raises(
        BusyError, match=rf"job j: task {first.number} works on it \(hold, asked for by alice\)"
    ):
        service.tasks.submit(Hold("j"), "bob")
    other = service.tasks.submit(Hold("k"), "bob")
    Hold.go.set()
    for task in (first, other):
        assert service.tasks.wait(task.number, 10).state is TaskState.DONE
    assert service.tasks.wait(service.tasks.submit(Hold("j"), "bob").number, 10).state is TaskState.DONE


def test_limits(service: Service) -> None:
    """Four with one node by default; another node's do not wait for those."""
    tasks = [service.tasks.submit(Hold(f"j{n}"), "a") for n in range(6)]
    other = service.tasks.submit(Hold("other", node="m"), "a")
    for _ in range(500):
        states = [service.tasks.load(task.number).state for task in [*tasks, other]]
        if states.count(TaskState.RUNNING) == 5:
            break
        threading.Event().wait(0.01)
    assert states == [TaskState.RUNNING] * 4 + [TaskState.WAITING] * 2 + [TaskState.RUNNING]
    assert service.tasks.cancel(tasks[5].number).state is TaskState.CANCELLED
    Hold.go.set()
    assert service.tasks.wait(tasks[4].number, 10).state is TaskState.DONE


def test_what_waits_is_recorded_as_that(service: Service) -> None:
    """Until there is room for it; what can begin at once is recorded as begun, by one write."""
    tasks = [service.tasks.submit(Hold(f"j{n}"), "a") for n in range(6)]

    def states() -> list[str]:
        return [row[0] for row in service.store.database.all("SELECT state FROM tasks ORDER BY number")]

    assert states() == ["running"] * 4 + ["waiting"] * 2
    assert [task.started is None for task in tasks] == [False] * 4 + [True] * 2
    Hold.go.set()
    ended = [service.tasks.wait(task.number, 10) for task in tasks]
    assert states() == ["done"] * 6 and all(task.started and task.started >= task.created for task in ended)


def test_called_off(service: Service, client: httpx.Client) -> None:
    task = service.tasks.submit(Hold("j"), "alice")
    answer = client.post(f"/tasks/{task.number}/cancel").json()
    assert answer["number"] == task.number
    assert client.get(f"/tasks/{task.number}", params={"wait": 10}).json()["state"] == "cancelled"
    assert client.post(f"/tasks/{task.number}/cancel").json()["state"] == "cancelled"


def test_a_request_with_a_key_is_taken_once(service: Service, client: httpx.Client) -> None:
    """Whoever got no answer asks once more, and has the task of the first time, also when that has ended."""
    place = str(service.store.directory / "checkpoints" / "none")
    ask: dict[str, Any] = {
        "json": {"directory": place, "node": "n"},
        "headers": {"Idempotency-Key": "mine"},
    }
    first = client.post("/restart", params={"wait": 10}, **ask).json()
    assert first["state"] == "failed"
    again = client.post("/restart", **ask)
    assert (again.status_code, again.json()["number"]) == (200, first["number"])
    other = client.post("/restart", json={"directory": place, "node": "m"}, headers=ask["headers"])
    assert other.status_code == 422
    assert f"the key 'mine' was used for another request, task {first['number']}" in other.text
    assert [task["number"] for task in client.get("/tasks", params={"key": "mine"}).json()["tasks"]] == [
        first["number"]
    ]
    assert client.get("/tasks", params={"key": "another"}).json() == {"tasks": []}
    fresh = client.post("/restart", json=ask["json"], headers={"Idempotency-Key": "another"}).json()
    assert fresh["number"] == first["number"] + 1
    stranger = {"Authorization": f"Bearer {service.tokens.add('stranger', Role.OPERATE)}"}
    asked = client.get("/tasks", params={"key": "mine"}, headers=stranger)
    assert asked.json() == {"tasks": []}
    for key in ("", "k" * 101):
        assert client.post("/restart", json=ask["json"], headers={"Idempotency-Key": key}).status_code == 422


def test_a_key_that_many_use_at_once(service: Service) -> None:
    """Retries may overtake what they repeat."""
    alice = service.tokens.check(service.tokens.add("alice", Role.ADMIN))
    assert alice is not None
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: service.submit(Hold("j"), alice, "key").number, range(8)))
    assert len(set(made)) == 1
    Hold.go.set()
    assert service.tasks.wait(made[0], 10).state is TaskState.DONE


def test_what_a_killed_controller_has_left(service: Service) -> None:
    """As the records are when it is killed: one task had begun, one waited."""
    insert = "INSERT INTO tasks (kind, job, request, who, state, created) VALUES ('migrate', :job, '{}', 'a', :state, 0)"
    for job, state in (("j", "running"), ("k", "waiting")):
        service.store.database.change(insert, {"job": job, "state": state})
    left = service.tasks.settle()
    assert [(task.job, task.state) for task in left] == [("j", TaskState.SETTLING)]
    service.tasks.explain(left[0], "j runs on x86")
    states = {task.job: (task.state, task.error) for task in service.tasks.recent()}
    assert states["j"][0] is TaskState.CUT_OFF and "j runs on x86" in str(states["j"][1])
    assert states["k"][0] is TaskState.CANCELLED
    assert service.tasks.settle() == []


def test_a_stop_lets_tasks_end(service: Service) -> None:
    task = service.tasks.submit(Hold("j"), "a")
    threading.Timer(0.2, Hold.go.set).start()
    service.tasks.stop(10, threading.Event())
    assert service.tasks.load(task.number).state is TaskState.DONE
    with pytest.raises(BusyError, match="stopping"):
        service.tasks.submit(Hold("k"), "a")


def test_a_stop_calls_off_what_does_not_end(service: Service) -> None:
    task = service.tasks.submit(Hold("j"), "a")
    service.tasks.stop(0.05, threading.Event())
    assert service.tasks.load(task.number).state is TaskState.CANCELLED


def test_the_events_of_a_task(service: Service, client: httpx.Client) -> None:
    mark = service.stream.mark(service.stream.last)
    task = service.tasks.submit(Hold("j"), "a")
    service.stream.publish("note", {"task": None, "job": None, "message": "of another"})
    threading.Timer(0.2, Hold.go.set).start()
    found = events(client, {"task": task.number, "since": mark})
    kinds = [(kind, data.get("state")) for kind, data in found]
    assert kinds == [
        ("task", "running"),
        ("step", "begun"),
        ("step", "done"),
        ("note", None),
        ("task", "done"),
    ]
    assert found[2][1]["detail"] == "let go" and found[-1][1]["result"] == {"held": "j"}
    assert events(client, {"task": task.number, "since": mark}) == found, "again, from the same place"
    assert [kind for kind, _ in events(client, {"task": task.number})] == ["task"], "it has ended before"


def test_events_go_on_where_they_were(service: Service, client: httpx.Client) -> None:
    for n in range(3):
        service.stream.publish("note", {"message": str(n)})
    mark = service.stream.mark(1)
    threading.Timer(0.3, service.stream.close).start()
    with client.stream("GET", "/events", headers={"Last-Event-ID": mark}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert [data["message"] for _, data in parsed(answer)] == ["1", "2"]


@pytest.mark.parametrize(
    "mark", ["", "x", "00000000-1", "RUN-99", "RUN-", "RUN--1", "RUN-9999999999999999999"]
)
def test_events_that_are_lost(service: Service, client: httpx.Client, mark: str) -> None:
    service.stream.publish("note", {"message": "before"})
    threading.Timer(0.3, service.stream.close).start()
    mark = mark.replace("RUN", service.stream.run)
    with client.stream("GET", "/events", headers={"Last-Event-ID": mark}) as answer:
        assert [kind for kind, _ in parsed(answer)] == (["reset"] if mark else [])


def events(client: httpx.Client, params: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    with client.stream("GET", "/events", params=params) as answer:
        assert answer.status_code == 200
        return list(parsed(answer))


def parsed(answer: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            data = json.loads(line[6:])
            assert data.pop("time") > 0
            yield kind, data

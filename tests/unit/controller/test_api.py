# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The HTTP interface: who may ask, what is answered, and how errors look."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import httpx
import pytest

from transproc.cluster.job import Job, State
from transproc.controller.api import jobs
from transproc.controller.requests.registry import ALL
from transproc.controller.service import Service
from transproc.controller.tokens import Role


def made(service: Service, name: str, **fields: object) -> Job:
    job = Job(name, "local", ["prog"], **{"state": State.RUNNING, **fields})  # type: ignore[arg-type]
    service.store.create(job)
    return job


def test_the_log_of_a_job_that_prints_without_a_pause_has_an_end(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.store.create(Job("j", "local", ["prog"], state=State.RUNNING))
    pieces = iter([(b"a" * jobs.PIECE, False), (b"b", False), *[(b"c", False)] * 50, (b"", True)])
    monkeypatch.setattr(jobs, "read_log", lambda *_: next(pieces))
    assert client.get("/jobs/j/log").content == b"a" * jobs.PIECE + b"b"


def test_who_may_ask(service: Service, url: str) -> None:
    viewer = service.tokens.add("viewer", Role.VIEW)
    assert httpx.get(f"{url}/health").json()["status"] == "ok"
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer x"}, 401),
        ({"Authorization": f"Bearer {viewer[:-1]}{'AB'[viewer[-1] == 'A']}"}, 401),
        ({"Authorization": f"Basic {viewer}"}, 401),
        ({"Authorization": f"Bearer {viewer}"}, 200),
    ):
        answer = httpx.get(f"{url}/api/v1/jobs", headers=headers)
        assert answer.status_code == status, headers
    assert answer.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {viewer}"}
    for kind in ALL:
        body = {"to": "b", "node": "b"}
        path = kind.path.format(name="j")
        answer = httpx.post(f"{url}/api/v1{path}", headers=headers, json=body)
        assert answer.status_code in (403, 422), path
    assert httpx.post(f"{url}/api/v1/jobs/j/kill", headers=headers).status_code == 403
    service.tokens.remove("viewer")
    assert httpx.get(f"{url}/api/v1/jobs", headers=headers).status_code == 401


def test_every_path_but_one_needs_a_token(service: Service, url: str, client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) > 10
    for path, methods in paths.items():
        for method in methods:
            words = path.replace("{name}", "j").replace("{number}", "1")
            answer = httpx.request(method, f"{url}{words}", json={})
            assert answer.status_code == (200 if path == "/health" else 401), (method, path)


def test_wrong_tokens_are_made_to_wait(service: Service, url: str, client: httpx.Client) -> None:
    found = httpx.get(f"{url}/api/v1/jobs", headers={"Authorization": "Bearer x"})
    assert found.status_code == 401
    for _ in range(30):
        found = httpx.get(f"{url}/api/v1/jobs", headers={"Authorization": "Bearer x"})
        if found.status_code == 429:
            break
    assert int(found.headers["retry-after"]) >= 1
    assert client.get("/jobs").status_code == 200


def test_jobs_come_in_pages(service: Service, client: httpx.Client) -> None:
    for name in ("a", "b", "c", "d"):
        made(service, name)
    made(service, "e", state=State.EXITED, exit="status 0")
    with contextlib.closing(sqlite3.connect(service.store.path)) as database, database:
        database.execute("UPDATE jobs SET record = '{', version = 9 WHERE name = 'd'")
    answer = client.get("/jobs", params={"limit": 2}).json()
    assert [job["name"] for job in answer["jobs"]] == ["a", "b"]
    assert (answer["total"], answer["next"], answer["damaged"]) == (4, "b", ["d"])
    answer = client.get("/jobs", params={"after": "b"}).json()
    assert [job["name"] for job in answer["jobs"]] == ["c", "e"] and answer["next"] is None
    answer = client.get("/jobs", params={"state": "exited"}).json()
    assert [job["exit"] for job in answer["jobs"]] == ["status 0"]
    assert client.get("/jobs", params={"node": "nowhere"}).json()["jobs"] == []


def test_one_job_with_what_was_begun(service: Service, client: httpx.Client) -> None:
    job = made(service, "j")
    number = service.store.begin(job, "migrate", "arm")
    service.store.step(number, 0, "preflight")
    found = client.get("/jobs/j").json()
    assert found["state"] == "running" and found["task"] is None
    assert [(one["kind"], one["target"], one["result"]) for one in found["attempts"]] == [
        ("migrate", "arm", None)
    ]
    assert found["attempts"][0]["steps"][0]["name"] == "preflight"
    assert client.get("/history").json()[0]["job"] == "j"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/jobs/none", None, 404, "job none: no such job"),
        ("GET", "/jobs/..%2f..%2fetc", None, 404, "Not Found"),
        ("GET", "/jobs/UPPER", None, 422, "job name 'UPPER'"),
        ("GET", "/jobs/" + "x" * 41, None, 422, "at most 40"),
        ("GET", "/tasks/1", None, 404, "task 1: there is none"),
        ("GET", "/tasks/x", None, 422, "integer"),
        ("GET", "/jobs?limit=0", None, 422, "greater than or equal to 1"),
        ("POST", "/jobs/j/migrate", {}, 422, "expected one of to, labels, anywhere"),
        ("POST", "/jobs/j/restore", {}, 422, "node: Field required"),
        ("POST", "/jobs/j/migrate", {"to": "b", "more": 1}, 422, "more: Extra inputs"),
        ("POST", "/jobs/j/migrate", {"to": "b", "timeout": -1}, 422, "greater than or equal to 0"),
        ("POST", "/jobs/j/migrate", [], 422, "valid dictionary"),
        ("POST", "/jobs/none/migrate?wait=5", {"to": "b"}, 404, "job none: no such job"),
        ("DELETE", "/jobs", None, 405, "Method Not Allowed"),
        ("GET", "/nothing", None, 404, "Not Found"),
    ],
)
def test_errors(  # noqa: PLR0917
    client: httpx.Client, method: str, path: str, body: object, status: int, text: str
) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    assert text in answer.json()["error"]["message"]


def test_a_request_is_bounded(client: httpx.Client) -> None:
    answer = client.post("/jobs/j/migrate", content=b"x" * (2 << 20))
    assert answer.status_code == 413
    answer = client.post(
        "/jobs/j/migrate", content=b"[" * 100_000, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422)


def test_nodes_are_listed_with_what_is_known_of_them(
    service: Service, client: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "nodes.toml").write_text(
        '[gone]\nhost = "127.0.0.1"\nport = 1\nkey = "k"\nhost_key = "ssh-ed25519 AAAA"\n'
        'labels = ["cheap"]\ncapacity = 2\nprice = 0.5\n'
    )
    service.store.create(Job("j", "gone", ["prog"], state=State.RUNNING))
    service.host.survey(deadline=20)  # the first connection may take longer than a list waits
    found = {node["name"]: node for node in client.get("/nodes").json()["nodes"]}
    assert found["gone"]["labels"] == ["cheap", "gone"]
    assert (found["gone"]["capacity"], found["gone"]["price"], found["gone"]["jobs"]) == (2, 0.5, 1)
    assert not found["gone"]["up"] and found["gone"]["facts"] is None
    assert found["local"]["facts"] is None or found["local"]["facts"]["isa"] in found["local"]["labels"]


def test_metrics(service: Service, url: str, client: httpx.Client) -> None:
    made(service, "a")
    made(service, "b", state=State.EXITED, exit="status 0")
    client.post("/jobs/a/kill?wait=20")
    assert httpx.get(f"{url}/metrics").status_code == 401
    text = httpx.get(f"{url}/metrics", headers=dict(client.headers)).text
    assert 'transproc_jobs{node="local",state="exited"} ' in text
    assert 'transproc_tasks_total{kind="kill",state=' in text
    assert "transproc_migration_downtime_seconds_count 0.0" in text


def test_answers_do_not_wait_for_acknowledgements(client: httpx.Client) -> None:
    """40 ms is what a delayed one takes (TCP_NODELAY)."""
    client.get("/me")
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        client.get("/me")
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.03

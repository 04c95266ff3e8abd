# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The pages of a controller without nodes: who sees what, and that nothing that is shown becomes a part of the page."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pytest

from transproc.automation.policies import Move
from transproc.cluster.description import Description
from transproc.cluster.facts import Facts
from transproc.cluster.job import Hop, Job, State
from transproc.cluster.store import Result
from transproc.controller.policies import Keeper, Last, Outcome
from transproc.controller.service import Service
from transproc.controller.sessions import COOKIE
from transproc.controller.tokens import Role
from transproc.controller.web import live
from transproc.controller.web.stacks import Look, Seen, Stacks
from transproc.controller.web.survey import Known, Survey
from transproc.errors import NodeError
from transproc.transform.describe import FrameView, ThreadView, ValueView

HOSTILE = (
    "</title></pre><script>alert(1)</script><img src=x onerror=alert(1)>"
    '"\'><b x=\'" onfocus=alert(1) autofocus="&amp;{{ 1337*1337 }}\x00'
)
FACTS = Facts("aarch64", 4, 2.0, 8 << 30, 6 << 30, 1 << 40, "6.12", "4.2", 4096, 100.0, 0.0, 0.01, 1 << 22)
PAGES = [
    "/policy",
    "/plans",
    "/plans/1",
    "/",
    "/nodes",
    "/migrations",
    "/tasks",
    "/start",
    "/jobs/j",
    "/jobs/j/migrate",
    "/jobs/j/kill",
    "/jobs/j/stacks",
]


@contextmanager
def visitor(service: Service, url: str, role: Role) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=20) as client:
        token = service.tokens.add(f"a-{role}", role)
        answer = client.post("/web/login", data={"token": token, "next": "/tasks"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/tasks")
        yield client


@pytest.fixture
def operator(service: Service, url: str) -> Iterator[httpx.Client]:
    with visitor(service, url, Role.OPERATE) as client:
        yield client


@pytest.fixture
def viewer(service: Service, url: str) -> Iterator[httpx.Client]:
    with visitor(service, url, Role.VIEW) as client:
        yield client


def in_path(word: str) -> str:
    """A part of a path has no slash."""
    return word.replace("/", "|")


def fill(service: Service, word: str) -> None:
    """A job with all that can be told of one; `word` wherever somebody else chooses the words."""
    store = service.store
    job = Job("j", in_path(word), [word, word], pid=7, state=State.RUNNING, user=word)
    store.create(job)
    done = store.begin(job, "migrate", in_path(word))
    store.step(done, 0, word)
    store.step_done(done, 0, 0.1, word)
    store.settle(done, Result.DONE, word, Hop("", "", time.time(), 0.1, {}, 10))
    again = store.begin(job, "migrate", in_path(word))
    store.settle(again, Result.DONE, word, Hop("", "", time.time(), 0.1, {}, 10))
    failed = store.begin(job, word, in_path(word))
    store.step(failed, 0, word)
    store.step_failed(failed, word)
    store.settle(failed, Result.UNDONE, word)
    store.step(store.begin(job, word, in_path(word)), 0, word)
    words = {"kind": word, "job": word, "who": word, "error": json.dumps({"message": word, "hint": word})}
    service.store.database.change(
        "INSERT INTO tasks (kind, job, request, who, state, created, error)"
        " VALUES (:kind, :job, '{}', :who, 'failed', 1, :error)",
        words,
    )
    plan = (word, word, word, "{}", 1.0, word, word)
    service.store.database.change("DELETE FROM plans", {})
    with contextlib.closing(sqlite3.connect(store.path)) as database, database:
        database.execute("INSERT INTO plans VALUES (1, ?, ?, ?, ?, ?, 2.0, ?, ?)", plan)
        database.execute("INSERT INTO plan_jobs (plan, job) VALUES (1, ?)", (in_path(word),))
        step = "INSERT INTO plan_steps (plan, place, line, title, verb, job, started, result, detail)"
        database.execute(f"{step} VALUES (1, ?, 1, ?, ?, ?, 1.0, ?, ?)", (word,) * 6)
    ended = Job("k", in_path(word), [word], state=State.EXITED, exit=word)
    store.create(ended)
    with (
        contextlib.closing(sqlite3.connect(store.path)) as database,
        database,
    ):  # damaged: its name was never checked
        database.execute("INSERT INTO jobs VALUES (?, ?, 1, 'running', '{')", (in_path(word), "id-of-it"))


class Skeleton(HTMLParser):
    """Elements and the names of their attributes, without any words."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, ...]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))
        self.found += [
            (name, value or "") for name, value in attrs if name in ("type", "role", "name", "rel")
        ]

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment",))


def seen(word: str) -> Seen:
    frame = FrameView(word, word, 4096, word, 1, 1, [ValueView(word, word, word)])
    return Seen(word, time.time(), [ThreadView(1, 1, word, [frame], word)], word)


def known(word: str) -> Known:
    nodes = {
        in_path(word): Description(frozenset({word})),
        "down": Description(),
        "up": Description(frozenset(), 3, 1.5),
    }
    facts = {
        in_path(word): dataclasses.replace(FACTS, isa=word, kernel=word, criu=word),
        "down": NodeError("down", word),
        "up": FACTS,
    }
    return Known(nodes, facts)


@pytest.fixture
def shown(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, httpx.Client, str], httpx.Response]:
    """A page that shows a word wherever it can."""

    def show(word: str, client: httpx.Client, address: str) -> httpx.Response:
        monkeypatch.setattr(Stacks, "seen", lambda self, name, at_work: [seen(word)])
        move = Move("j", word, word, 1, word)
        monkeypatch.setattr(Keeper, "text", word)
        service.policies.last = Last(time.time(), [Outcome(move, word)], [word], word)
        monkeypatch.setattr(Survey, "known", lambda self: known(word))
        fill(service, word)
        answer = client.get(address.format(quote(in_path(word), safe="")))
        with contextlib.closing(sqlite3.connect(service.store.path)) as database, database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("DELETE FROM jobs")
            database.execute("DELETE FROM tasks")
        for name in ("j", "k"):
            service.store.files(name).rmdir()
        return answer

    return show


def test_words_stay_words(operator: httpx.Client, shown: Callable[..., httpx.Response]) -> None:
    """With hostile words a page has the same elements and attributes as with harmless ones."""
    others = ["/nodes/{}", "/jobs/{}", "/?q=no{}", "/?node=no{}", "/jobs/none-{}", "/web/login?next=/{}"]
    for address in [*PAGES, *others]:
        harmless, hostile = shown("harmless", operator, address), shown(HOSTILE, operator, address)
        assert "harmless" in harmless.text and harmless.status_code == hostile.status_code, address
        assert Skeleton(hostile.text).found == Skeleton(harmless.text).found, address
        assert "<script>alert" not in hostile.text and str(1337 * 1337) not in hostile.text


def test_every_page_forbids_what_is_not_ours(operator: httpx.Client, service: Service) -> None:
    fill(service, "word")
    for address in PAGES:
        answer = operator.get(address)
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert (
            answer.headers["x-content-type-options"] == "nosniff"
            and answer.headers["cache-control"] == "no-store"
        )
        assert not re.search(r"\s(style|on[a-z]+)=|<style|javascript:|//", answer.text)
        scripts = re.findall("<script[^>]*>[^<]*</script>", answer.text)
        assert scripts == ['<script type="module" src="/static/page.js"></script>']


def test_nobody_sees_anything_without_signing_in(url: str) -> None:
    with httpx.Client(base_url=url, headers={"Cookie": f"{COOKIE}=x.1.y"}, timeout=20) as client:
        for address in [*PAGES, "/web/events", "/web/jobs/j/log/stdout"]:
            answer = client.get(address)
            assert answer.status_code == 303
            assert answer.headers["location"] == f"/web/login?next={quote(address, safe='')}"


def test_signing_in_and_out(service: Service, url: str) -> None:
    token = service.tokens.add("olga", Role.OPERATE)
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=20) as client:
        wrong = client.post("/web/login", data={"token": token[:-1] + "~"})
        assert (wrong.status_code, COOKIE in wrong.cookies) == (401, False) and "not valid" in wrong.text
        answer = client.post("/web/login", data={"token": f" {token}\n"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and token not in cookie
        assert client.get("/").status_code == 200
        service.tokens.remove("olga")
        assert client.get("/").status_code == 303
        assert client.post("/web/logout").headers["location"] == "/web/login" and COOKIE not in client.cookies


def test_signing_in_leads_to_no_other_site(service: Service, url: str) -> None:
    token = service.tokens.add("olga", Role.VIEW)
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=20) as client:
        for address in ("//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil", "evil", ""):
            words = {"token": token, "next": address}
            assert client.post("/web/login", data=words).headers["location"] == "/"
            asked = client.get("/web/login", params={"next": address})
            assert '<input type="hidden" name="next" value="/">' in asked.text


def test_who_may_only_look_changes_nothing(service: Service, viewer: httpx.Client) -> None:
    fill(service, "word")
    for action in ("migrate", "kill", "pause", "resume", "recover", "look", "cancel"):
        answer = viewer.post(f"/jobs/j/{action}", data={"to": "nb"}, headers={"Accept": "application/json"})
        assert answer.status_code == 403 and "may only look" in answer.json()["message"]
    assert service.tasks.live() == []
    for address in (
        "/jobs/j/migrate",
        "/jobs/j/kill",
        "/jobs/j/stacks",
        "/start",
        "/checkpoints",
        "/restart?directory=x",
    ):
        assert viewer.get(address).status_code == 403
    assert "data-action" not in viewer.get("/jobs/j").text and "draggable" not in viewer.get("/").text


def test_another_site_changes_nothing(service: Service, operator: httpx.Client) -> None:
    del operator.headers["Origin"]
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {},
    ):
        assert operator.post("/jobs/j/kill", headers=headers).status_code == 403
        assert operator.post("/web/logout", headers=headers).status_code == 403
    assert service.tasks.recent() == []


def test_forms_make_tasks(service: Service, operator: httpx.Client) -> None:
    service.store.create(Job("j", "lost", ["prog"], pid=7, state=State.RUNNING))
    json_wanted = {"Accept": "application/json"}
    answer = operator.post("/jobs/j/migrate", data={"to": "nb"}, headers=json_wanted)
    assert (answer.status_code, answer.json()["message"]) == (202, "j goes to nb.")
    (task,) = service.tasks.recent()
    assert (task.kind, task.job, task.who, task.request["to"]) == ("migrate", "j", "a-operate", "nb")
    ended = service.tasks.wait(task.number, 20)
    assert "node lost: unknown" in (ended.error or {})["message"]
    assert "node lost: unknown" in operator.get("/tasks").text
    answer = operator.post("/jobs/j/pause")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs/j")
    service.tasks.wait(service.tasks.recent()[0].number, 20)
    for action, words, status in (
        ("migrate", {}, 422),
        ("migrate", {"to": "nb", "timeout": "nan"}, 422),
        ("migrate", {"to": "n" * 2000}, 422),
        ("kill", {"x": "y" * 20000}, 413),
        ("dance", {}, 404),
        ("cancel", {}, 409),
    ):
        assert operator.post(f"/jobs/j/{action}", data=words, headers=json_wanted).status_code == status, (
            action
        )


def test_a_job_is_started_by_a_form(service: Service, operator: httpx.Client) -> None:
    """From the program of a job that is known; who is no admin names no path of the controller's host."""
    service.store.create(Job("j", "lost", ["prog"], pid=7, state=State.RUNNING))
    assert '<option value="j" selected>prog, as j runs it</option>' in operator.get("/start").text
    json_wanted = {"Accept": "application/json"}
    for words, status, said in (
        ({"like": "j", "node": "lost"}, 409, "node lost: unknown"),
        ({"like": "j", "node": "local"}, 409, "prog"),
        ({"like": "none", "node": "lost"}, 404, "no such job"),
        ({"program": "/bin/sh", "node": "lost"}, 409, "an admin only may start a program"),
        ({"like": "j", "node": "lost", "arguments": "'"}, 422, "no closing quotation"),
        ({"like": "j"}, 422, "choose a node"),
        ({"node": "lost"}, 422, "choose a program"),
    ):
        answer = operator.post("/start", data=words, headers=json_wanted)
        assert (answer.status_code, said in answer.json()["message"]) == (status, True), answer.text
    assert [task.request["like"] for task in service.tasks.recent()] == ["j", "j"]


def test_a_checkpoint_is_restarted_by_a_form(service: Service, operator: httpx.Client) -> None:
    for directory, status, said in (
        ("/etc", 409, "not one of the controller's checkpoints"),
        (str(service.store.directory / "checkpoints" / "none"), 409, "none"),
    ):
        words = {"directory": directory, "node": "lost"}
        answer = operator.post("/restart", data=words, headers={"Accept": "application/json"})
        assert (answer.status_code, said in answer.json()["message"]) == (status, True), answer.text
    assert operator.get("/restart?directory=/etc").status_code == 409


def test_two_migrations_are_compared(service: Service, viewer: httpx.Client) -> None:
    job = Job("j", "na", ["prog"], pid=7, state=State.RUNNING)
    service.store.create(job)
    for seconds in (0.5, 1.0):
        number = service.store.begin(job, "migrate", in_path(HOSTILE))
        for place, name in enumerate(("dump", "resume")):
            service.store.step(number, place, name)
            service.store.step_done(number, place, seconds * (place + 1), "")
        hop = Hop("na", in_path(HOSTILE), time.time(), 2 * seconds, {}, int(seconds * 4000))
        service.store.settle(number, Result.DONE, "", hop)
    text = viewer.get("/migrations/compare?n=1&n=2").text
    assert "<script>alert" not in text and text.count("&lt;script&gt;alert") == 2
    cells = re.findall(
        r'<th scope="row">(.*?)</th>|<span class="time">(.*?)</span>|<td class="time">(.*?)</td>', text
    )
    words = [next(filter(None, cell), "") for cell in cells]
    assert words[:8] == ["dump", "0.50 s", "1.00 s", "2.00", "resume", "1.00 s", "2.00 s", "2.00"]
    assert words[-4:] == ["bytes", "2.0 kB", "4.0 kB", "2.00"]
    for chosen in ("", "?n=1", "?n=1&n=1", "?n=1&n=2&n=3"):
        assert viewer.get(f"/migrations/compare{chosen}").status_code == 422
    assert viewer.get("/migrations/compare?n=1&n=9").status_code == 404


def test_migrations_are_shown_a_page_at_a_time(service: Service, viewer: httpx.Client) -> None:
    job = Job("j", "na", ["prog"], pid=7, state=State.RUNNING)
    service.store.create(job)
    for _ in range(30):
        service.store.settle(service.store.begin(job, "migrate", "nb"), Result.UNDONE, "no")

    def numbers(text: str) -> list[int]:
        return [int(word) for word in re.findall(r'name="n" value="(\d+)"', text)]

    first = viewer.get("/migrations").text
    assert numbers(first) == list(range(30, 5, -1)) and "the latest</a>" not in first
    older = re.search(r'href="(/migrations\?before=\d+)"', first)
    assert older is not None
    second = viewer.get(older[1]).text
    assert numbers(second) == [5, 4, 3, 2, 1] and "the latest</a>" in second and "older" not in second
    assert viewer.get("/migrations?before=0").status_code == 200


def test_what_is_not_there(operator: httpx.Client) -> None:
    for address in (
        "/jobs/none",
        "/nodes/none",
        "/jobs/none/migrate",
        "/jobs/none/kill",
        "/jobs/none/stacks",
        "/web/jobs/none/log/stdout",
    ):
        answer = operator.get(address)
        assert (answer.status_code, "there is none of that name" in answer.text) == (404, True), address
    assert operator.get("/web/jobs/j/log/secret").status_code == 404
    assert operator.get("/jobs/j?log=" + "x" * 50).status_code == 422


def test_what_a_look_has_seen_is_in_no_record(service: Service) -> None:
    kept = Stacks(service.store)
    assert Look("j", kept).record() == {"name": "j"}
    kept.keep("j", seen("secret"))
    assert [one.title for one in kept.seen("j")] == ["secret"] and kept.seen("k") == []


def test_images_that_something_works_on_are_not_shown(service: Service) -> None:
    """Once the image of a look was, between its fetch and its removal."""
    kept, image = Stacks(service.store), service.store.move("j") / "images" / "dump"
    image.mkdir(parents=True)
    assert kept.seen("j", at_work=True) == []
    (found,) = kept.seen("j")
    assert found.title == "Before the move" and found.problem


def test_a_stream_tells_of_changes(service: Service, operator: httpx.Client) -> None:
    with operator.stream("GET", "/web/events") as answer:
        lines = answer.iter_lines()
        first = next(line for line in lines if line.startswith("data: "))
        assert json.loads(first[6:]) == {"jobs": None, "nodes": True}
        service.stream.publish("step", {"job": "j", "name": "dump"})
        told = next(json.loads(line[6:]) for line in lines if line.startswith("data: ") and '"j"' in line)
        assert told["jobs"] == ["j"]
        assert service.listeners == 1
        service.tokens.remove("a-operate")
        for _ in lines:  # until it ends
            pass
    assert service.listeners == 0


def test_what_is_said_of_a_task() -> None:
    task = {
        "state": "done",
        "job": "j",
        "kind": "migrate",
        "error": None,
        "result": {"target": "nb", "downtime": 0.25},
    }
    assert live.outcome(task) == {"message": "j runs on nb; downtime 0.25 s", "good": True}
    assert live.outcome({**task, "state": "running"}) is None
    failed = {**task, "state": "failed", "error": {"message": "dump: no; j runs on na again", "hint": "try"}}
    assert live.outcome(failed) == {"message": "dump: no; j runs on na again", "hint": "try", "good": False}
    assert live.outcome({**task, "kind": "kill", "result": None}) == {"message": "kill j: done", "good": True}


def test_a_thousand_jobs(service: Service, operator: httpx.Client) -> None:
    fill(service, "word")
    with contextlib.closing(sqlite3.connect(service.store.path)) as database, database:
        (record,) = database.execute("SELECT record FROM jobs WHERE name = 'j'").fetchone()
        database.executemany(
            "INSERT INTO jobs VALUES (?, ?, 1, 'running', ?)",
            [(f"n{n}", f"i{n}", record) for n in range(1000)],
        )
    operator.get("/")
    begin = time.process_time()
    text = operator.get("/").text
    assert time.process_time() - begin < 1.0  # 20 ms on a quiet machine
    assert "page 1 of 21, 1 003 jobs" in text and text.count("<tr id=") == 50

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller's web page with many jobs: how long a page takes on the server and in Chromium, and a change to be seen."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.unit.controller.conftest import answering
from transproc import log
from transproc.cluster.job import Job, State
from transproc.cluster.phase import Phase
from transproc.cluster.store import JobStore
from transproc.controller.service import Service
from transproc.controller.tokens import Role
from transproc.host import Host

SIZES = (100, 1000, 10_000)
HOPS = 3
"""Migrations of each job in the past."""
PAGES = {"jobs": "/", "search": "/?q=job-7&sort=-since", "job": "/jobs/job-7", "migrations": "/migrations"}
_LOAD = "performance.getEntriesByType('navigation')[0].loadEventEnd"
_UPDATE = """([id]) => new Promise((seen) => {
    const list = document.getElementById("list");
    const observer = new MutationObserver(() => {
        if (document.querySelector(`#job-job-${id} td.hops`)?.textContent.trim() === "77") seen(Date.now());
    });
    observer.observe(list, { subtree: true, childList: true, characterData: true });
})"""


@dataclass
class Figures:
    """Seconds, medians: of an answer of the server's, and of loading in Chromium, by page; from the moment at which a change is
    recorded until the list shows it.
    """

    jobs: int
    answers: dict[str, float]
    loads: dict[str, float]
    update: float


def measure(directory: Path, jobs: int, rounds: int) -> Figures:
    """All figures for so many jobs, none of which has a node to be asked."""
    os.environ["TRANSPROC_NODES"] = str(directory / "nodes.toml")
    (directory / "nodes.toml").write_text("")
    service = Service(Host(JobStore(directory / "state")))
    with log.step(f"the web page with {jobs} jobs"):
        _fill(service.store, jobs)
        with (
            answering(service) as url,
            httpx.Client(base_url=url, headers={"Origin": url}, timeout=60) as client,
        ):
            token = service.tokens.add("operator", Role.OPERATE)
            client.post("/web/login", data={"token": token})
            answers = {
                name: _median(lambda path=path: client.get(path), rounds) for name, path in PAGES.items()
            }
            loads, update = _in_chromium(service, url, token, rounds)
        service.close()
    return Figures(jobs, answers, loads, update)


def _median(action: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds + 1):  # the first one reads all records
        begin = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])


def _in_chromium(service: Service, url: str, token: str, rounds: int) -> tuple[dict[str, float], float]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.getuid() == 0 else []
        )
        page = browser.new_page(base_url=url)
        page.set_default_timeout(20_000)
        page.goto("/")
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        page.wait_for_selector("#connection[data-state=on]")
        loads: dict[str, list[float]] = {name: [] for name in PAGES}
        updates = []
        for name in sorted(service.store.names())[:rounds]:  # those that are seen
            for kind, path in reversed(PAGES.items()):  # the list comes last
                page.goto(path)
                page.wait_for_selector("#connection[data-state=on]")
                loads[kind].append(page.evaluate(_LOAD) / 1000)
            page.wait_for_timeout(600)
            updates.append(_update(service, page, name))
        browser.close()
        return {kind: statistics.median(seconds) for kind, seconds in loads.items()}, statistics.median(
            updates
        )


def _update(service: Service, page: Page, name: str) -> float:
    """From the moment at which a change is recorded; the clock is the same."""
    page.evaluate(f"void (window.update = ({_UPDATE})(['{name.removeprefix('job-')}']))")
    job = service.store.load(name)
    job.moves = 77
    begin = time.time()
    service.store.save(job)
    service.stream.publish("job", {"name": name})
    return float(page.evaluate("window.update")) / 1000 - begin


def _fill(store: JobStore, jobs: int) -> None:
    """Records as they are, written at once."""
    first = Job("job-0", "x86", ["./program", "--size", "100"], pid=4711, state=State.RUNNING, moves=HOPS)
    store.create(first)
    now = time.time()
    with contextlib.closing(sqlite3.connect(store.path)) as database, database:
        (record,) = database.execute("SELECT record FROM jobs").fetchone()
        names = {f"job-{n}": secrets.token_hex(8) for n in range(1, jobs)}
        rows = [(name, identity, 1, State.RUNNING, record) for name, identity in names.items()]
        database.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?)", rows)
        for hop in range(HOPS):
            database.execute(
                "INSERT INTO attempts (job, kind, before, source, target, started, ended, result, downtime, bytes)"
                " SELECT id, 'migrate', 'running', 'x86', 'arm', ?, ?, 'done', 0.2, 5000000 FROM jobs",
                (now - 100 * hop - 1, now - 100 * hop),
            )
        for number, phase in enumerate(Phase):
            database.execute(
                "INSERT INTO steps (attempt, number, name, started, seconds, detail)"
                " SELECT number, ?, ?, started, 0.09, '' FROM attempts",
                (number, phase),
            )

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The web page in a browser: a real controller, two real nodes, real jobs, and what a user does with them."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.compiling import compiled
from tests.native.nodes import NativeNodes
from transproc.cluster import node as registry
from transproc.cluster import operations
from transproc.cluster.events import Silent, Token
from transproc.cluster.node import DATA
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.controller.server import Server, listen
from transproc.controller.service import Service
from transproc.controller.tokens import Role
from transproc.host import Host

pytestmark = [pytest.mark.native, pytest.mark.toolchain]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
HOSTILE = "<img src=x onerror='window.taken=1'><script>window.taken=1</script>"
JOBS = ("clicked", "dragged", "keyed", "hostile")
SECONDS = 20
expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="module")
def service(
    machines: NativeNodes, counter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A controller with four jobs on `na`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "files", lambda: [machines.configuration])
        made = Service(Host(JobStore(tmp_path_factory.mktemp("controller"))))
        context = made.host.context(Silent(), Token())
        for name in JOBS:
            words = [str(counter), "1000000", "20000", "1", *([HOSTILE] if name == "hostile" else [])]
            operations.run(context, Program(words), "na", name=name)
        made.start()
        yield made
        for name in JOBS:
            operations.kill(context, name, remove=True)
        made.close()


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    place = listen("127.0.0.1", 0)
    server = Server(service, None)
    thread = threading.Thread(target=server.run, args=[[place]])
    thread.start()
    yield f"http://127.0.0.1:{place.getsockname()[1]}"
    server.stop()
    thread.join()


@pytest.fixture(scope="module")
def enter(service: Service, url: str) -> Iterator[Callable[..., BrowserContext]]:
    """A window of somebody who has signed in with a role."""
    numbers = itertools.count()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def open_window(role: Role, **options: object) -> BrowserContext:
            context = browser.new_context(base_url=url, reduced_motion="reduce", **options)  # type: ignore[arg-type]
            context.set_default_timeout(SECONDS * 1000)
            page = context.new_page()
            page.goto("/")
            page.get_by_label("Token").fill(service.tokens.add(f"{role}.{next(numbers)}", role))
            page.keyboard.press("Enter")
            page.wait_for_selector("#list")
            page.close()
            return context

        yield open_window
        browser.close()


@pytest.fixture(scope="module")
def window(enter: Callable[..., BrowserContext]) -> BrowserContext:
    return enter(Role.OPERATE, color_scheme="light")


@pytest.fixture
def page(window: BrowserContext) -> Iterator[Page]:
    """A page on which nothing goes wrong in the browser: no error, no script or style that is not ours."""
    made, wrong = window.new_page(), []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    yield made
    made.close()
    refused = [f"the server responded with a status of {status}" for status in (409, 422)]
    assert [text for text in wrong if not any(words in text for words in refused)] == []


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator("#connection")).to_have_attribute("data-state", "on")
    return page


def test_a_job_is_migrated_by_a_click(page: Page, service: Service) -> None:
    """Its steps are seen while they happen, then as bars, then the timeline has two nodes."""
    opened(page, "/jobs/clicked").get_by_role("link", name="Migrate…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Migrate clicked")).to_be_visible()
    assert dialog.locator("input[value=na]").count() == 0
    dialog.get_by_label("nb").check()
    expect(dialog.locator(".forecast")).to_contain_text("would work: ")
    dialog.get_by_role("button", name="Migrate").click()
    expect(page.locator("#now .steps li").first).to_contain_text("preflight")
    expect(page.locator("#head .state.busy")).to_contain_text("migrating to nb")
    expect(page.locator(".toast.good")).to_contain_text("clicked runs on nb; downtime")
    expect(page.locator("#head")).to_contain_text("on nb")
    expect(page.locator("#past .attempt .steps li.done .name").last).to_have_text("retire")
    names = page.locator("#past .attempt .steps li.done .name").all_inner_texts()
    assert names[:3] == ["preflight", "prepare", "pause"] and names[-1] == "retire"
    expect(page.locator(".timeline .stay")).to_have_count(2)
    expect(page.locator("#now .steps")).to_have_count(0)
    assert service.store.load("clicked").node == "nb"


def test_a_job_is_dragged_to_a_node(page: Page, service: Service) -> None:
    opened(page, "/")
    expect(page.locator("#node-nb[data-drop]")).to_be_visible()
    page.drag_and_drop("#job-dragged .grip", "#node-nb")
    expect(page.locator(".toast.good")).to_contain_text("dragged runs on nb")
    expect(page.locator("#job-dragged td.node")).to_contain_text("nb")
    assert service.store.load("dragged").node == "nb"
    expect(page.locator("#node-nb .foot")).to_contain_text("2 jobs")


def test_all_of_it_by_keys(page: Page, service: Service) -> None:
    opened(page, "/")
    page.keyboard.press("/")
    page.keyboard.type("keyed")
    expect(page.locator("tr[data-job]")).to_have_count(1)
    assert page.url.endswith("/?q=keyed")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("#job-keyed td.name a")).to_be_focused()
    page.keyboard.press("m")
    expect(page.get_by_role("dialog").locator("input:checked")).to_be_focused()
    while page.evaluate("document.activeElement.value") != "nb":
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".toast.good")).to_contain_text("keyed runs on nb")
    expect(page.locator("#job-keyed td.name a")).to_be_focused()  # the list was renewed around it
    page.keyboard.press("?")
    expect(page.get_by_role("dialog").get_by_role("heading", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/keyed")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/migrations")
    expect(page.locator(".plot .point")).not_to_have_count(0)


@contextmanager
def full(service: Service, name: str) -> Iterator[None]:
    """A node without room."""
    node = service.host.node(name)
    script = "used=$(df -Pk $1 | sed -n '2s/^[^ ]* *[0-9]* *\\([0-9]*\\) .*/\\1/p'); mount -o remount,size=$((used + 8))k $1"
    node.run(["sh", "-c", script, "sh", str(DATA)])
    try:
        yield
    finally:
        node.run(["mount", "-o", "remount,size=256m", str(DATA)])


def test_a_failure_says_why_and_what_became_of_the_job(page: Page, service: Service) -> None:
    opened(page, "/jobs/hostile")
    with full(service, "nb"):
        page.keyboard.press("m")
        page.get_by_role("dialog").get_by_label("nb").check()
        page.get_by_role("dialog").get_by_role("button", name="Migrate").click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("it runs on na")
    attempt = page.locator("#past .attempt.failed").first
    expect(attempt.locator(".outcome")).to_contain_text("it runs on na")
    expect(attempt.locator(".steps li.failed .detail")).not_to_be_empty()
    alert.get_by_role("button").click()
    expect(alert).to_have_count(0)


def test_words_of_others_stay_words(page: Page, service: Service) -> None:
    job = service.store.load("hostile")
    place = service.host.place(job)
    place.node.run(["sh", "-c", 'printf "%s\\n" "$1" >>"$2"', "sh", HOSTILE, f"{place.data}/stderr"])
    opened(page, "/jobs/hostile")
    expect(page.locator(".command-line")).to_contain_text("<img src=x")
    expect(page.locator("[data-output]")).to_contain_text("1")
    page.get_by_role("link", name="stderr").click()
    expect(page.locator("[data-output]")).to_contain_text(HOSTILE)
    opened(page, "/")
    expect(page.locator("#job-hostile .command")).to_contain_text("<script>")
    assert page.evaluate("window.taken") is None
    assert page.locator("img").count() == 0


def test_the_output_is_followed(page: Page) -> None:
    output = opened(page, "/jobs/clicked").locator("[data-output]")
    expect(output).not_to_be_empty()
    last = int(output.inner_text().split()[-1])
    expect(output).to_contain_text(str(last + 60))
    with page.expect_download() as begun:
        page.get_by_role("link", name="download").click()
    assert begun.value.suggested_filename == "clicked.stdout"
    assert begun.value.path().read_text().startswith("0\n1\n2\n")
    page.keyboard.press("f")
    expect(page.get_by_label("follow")).not_to_be_checked()


def test_stacks_are_looked_at(page: Page, service: Service) -> None:
    opened(page, "/jobs/clicked/stacks").get_by_role("button", name="Pause and look").click()
    expect(page.locator(".frame b").get_by_text("main", exact=True)).to_be_visible()
    assert not service.store.glance("clicked").exists()
    assert service.store.load("clicked").state == "running"


@pytest.fixture
def described(service: Service, tmp_path: Path) -> Iterator[str]:
    """A job whose program has the names and types of its variables."""
    program = compiled(Path(__file__).with_name("counter.c"), tmp_path, "-g")
    context = service.host.context(Silent(), Token())
    operations.run(context, Program([str(program), "1234567", "20000"]), "na", name="described")
    yield "described"
    operations.discard(context, "described")


def test_the_stacks_before_and_after_are_seen_with_names_and_values(
    page: Page, service: Service, described: str
) -> None:
    """Of a move whose images are kept: the same variables of `main`, with the same values; `n` is a number that was printed."""
    opened(page, f"/jobs/{described}").get_by_role("link", name="Migrate…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("nb").check()
    dialog.get_by_text("More", exact=True).click()
    dialog.get_by_label("Keep the images").check()
    dialog.get_by_role("button", name="Migrate").click()
    expect(page.locator(".toast.good")).to_contain_text(f"{described} runs on nb")
    opened(page, f"/jobs/{described}/stacks")
    found = []
    for title in ("Before the move", "After the move"):
        card = page.locator("section.card").filter(has=page.get_by_role("heading", name=title))
        main = card.locator("li.frame").filter(has=page.locator("b").get_by_text("main", exact=True))
        expect(main).to_contain_text("counter.c:")
        names, values = main.locator("dt").all_inner_texts(), main.locator("dd").all_inner_texts()
        found.append(dict(zip(names, values, strict=True)))
    assert found[0] == found[1]
    printed = service.host.place(service.store.load(described)).read("stdout").decode().split()
    assert found[0]["i64 n"] in printed[printed.index("1") :]


def test_a_checkpoint_is_written(page: Page, service: Service) -> None:
    opened(page, "/jobs/clicked").get_by_role("button", name="Checkpoint").click()
    expect(page.locator(".toast.good")).to_contain_text("checkpoint clicked: done")
    expect(page.locator("#past")).to_contain_text("/checkpoints/clicked-")
    (path,) = service.store.checkpoints(service.store.load("clicked"))
    assert path.is_dir()
    expect(opened(page, "/jobs/clicked").get_by_label(f"Restart {path}")).to_be_visible()
    shutil.rmtree(path)  # as --keep does
    opened(page, "/jobs/clicked")
    expect(page.locator("#history, #past").first).to_be_visible()
    expect(page.get_by_label(f"Restart {path}")).to_have_count(0)


def test_a_job_is_started_and_ends_before_our_eyes(page: Page, service: Service) -> None:
    """By a form, from a program that is known; its end, which nobody has asked for, appears by itself."""
    opened(page, "/")
    page.keyboard.press("s")
    dialog = page.locator("#dialog")
    expect(dialog.get_by_role("combobox")).to_have_value("hostile")
    dialog.get_by_label("Arguments").fill("100 20000 1")
    dialog.get_by_label("The job's name").fill("started")
    dialog.get_by_text("nb", exact=True).click()
    dialog.get_by_role("button", name="Start").click()
    page.wait_for_url("**/jobs/started", timeout=60_000)
    expect(page.locator("#head .state")).to_have_text("running")
    assert service.store.load("started").node == "nb"
    expect(page.locator("#head .state")).to_contain_text("ended: status 0")
    operations.discard(service.host.context(Silent(), Token()), "started")


def test_what_is_wrong_is_said_on_the_form(page: Page) -> None:
    opened(page, "/start")
    page.get_by_label("Arguments").fill("'")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("no closing quotation")
    expect(page.get_by_label("Arguments")).to_have_value("'")


def test_a_checkpoint_is_restarted_by_a_click(page: Page, service: Service) -> None:
    context = service.host.context(Silent(), Token())
    other = "na" if service.store.load("keyed").node == "nb" else "nb"  # where its process ids are free
    operations.checkpoint(context, "keyed")
    opened(page, "/checkpoints")
    page.get_by_role("link", name="Restart").first.click()
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("There is a job keyed")
    dialog.get_by_label("The new job's name").fill("again")
    dialog.get_by_text(other, exact=True).click()
    dialog.get_by_role("button", name="Restart").click()
    page.wait_for_url("**/jobs/again", timeout=60_000)
    expect(page.locator("#head .state")).to_have_text("running")
    assert service.store.load("again").node == other
    operations.kill(context, "again", remove=True)


def test_two_migrations_are_compared(page: Page, service: Service) -> None:
    """Without leaving the choice when the page is brought up to date."""
    context = service.host.context(Silent(), Token())
    for _ in range(2):
        here = service.store.load("clicked").node
        operations.migrate(context, "clicked", "nb" if here == "na" else "na")
    opened(page, "/migrations")
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).check()
    operations.pause(context, "clicked")
    operations.resume(context, "clicked")
    boxes.nth(1).check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/migrations/compare?*")
    expect(page.get_by_role("rowheader", name="downtime")).to_be_visible()
    assert page.locator(".compare tbody tr").count() > 6
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_light_and_dark(page: Page) -> None:
    def colour() -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    opened(page, "/")
    light = colour()
    page.keyboard.press("t")
    dark = colour()
    assert light != dark
    page.reload()
    assert colour() == dark  # from the first moment: the server knows
    page.emulate_media(color_scheme="dark")
    page.context.clear_cookies(name="theme")
    page.reload()
    assert colour() == dark


def test_a_narrow_window_and_names_for_all_that_can_be_pressed(page: Page, service: Service) -> None:
    operations.checkpoint(service.host.context(Silent(), Token()), "clicked")
    page.set_viewport_size({"width": 360, "height": 740})
    for address in (
        "/",
        "/nodes",
        "/nodes/nb",
        "/migrations",
        "/plans",
        "/policy",
        "/tasks",
        "/jobs/clicked",
        "/jobs/clicked/stacks",
        "/jobs/clicked/migrate",
        "/jobs/clicked/kill",
        "/start",
        "/checkpoints",
    ):
        opened(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert page.locator("h1:visible, h2#dialog-title").count() >= 1, address
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), summary, [role=img]")]
                .filter((one) => !(one.innerText?.trim() || one.textContent?.trim() || one.ariaLabel || one.labels?.length
                    || one.getAttribute("aria-label")))
                .map((one) => one.outerHTML)"""
        )
        assert nameless == [], address
        beyond = page.evaluate(
            """() => [...document.querySelectorAll("main a, main button")]
                .filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML)"""
        )
        assert beyond == [], address


def test_who_may_only_look(enter: Callable[..., BrowserContext]) -> None:
    window = enter(Role.VIEW)
    page = opened(window.new_page(), "/jobs/clicked")
    assert page.locator("main button, main .button").count() == 0
    opened(page, "/")
    assert page.locator(".grip, td.do").count() == 0
    window.close()


def test_without_javascript(enter: Callable[..., BrowserContext], service: Service) -> None:
    """All forms work; what cannot is not there, and that nothing changes by itself is said."""
    window = enter(Role.OPERATE, java_script_enabled=False)
    page = window.new_page()
    page.goto("/")
    expect(page.locator("noscript .notice")).to_be_visible()
    assert page.locator("[data-help]:visible, [data-theme-switch]:visible, .grip:visible").count() == 0
    page.get_by_label("Filter jobs").fill("key")
    page.get_by_role("button", name="Filter").click()
    assert page.locator("#list tbody tr").count() == 1
    page.get_by_role("link", name="keyed", exact=True).click()

    def done(job: str) -> None:
        (task,) = service.tasks.recent(job=job, limit=1)
        assert service.tasks.wait(task.number, SECONDS).error is None
        page.goto(f"/jobs/{job}")

    target = ""
    for _ in range(2):
        target = "na" if service.store.load("keyed").node == "nb" else "nb"
        page.get_by_role("link", name="Migrate…").click()
        page.locator(f"input[value={target}]").check()
        page.get_by_role("button", name="Migrate").click()
        assert page.url.endswith("/jobs/keyed")
        done("keyed")
        assert service.store.load("keyed").node == target
    for action, state in (("Pause", "paused"), ("Resume", "running"), ("Checkpoint", "running")):
        page.get_by_role("button", name=action).click()
        done("keyed")
        assert service.store.load("keyed").state == state
    page.get_by_role("link", name="Show its end").first.click()
    assert page.locator("pre").text_content()
    page.goto("/start")
    page.get_by_label("Arguments").fill("'")
    page.locator("input[value=na]").check()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("no closing quotation")).to_be_visible()
    page.goto("/start")
    page.get_by_label("Arguments").fill("1000000 20000 1")
    page.get_by_label("The job's name").fill("plain")
    page.locator("input[value=na]").check()
    page.get_by_role("button", name="Start").click()
    done("plain")
    page.get_by_role("link", name="Kill").click()
    page.get_by_role("button", name="Kill").click()
    done("plain")
    page.goto("/checkpoints")
    page.get_by_role("link", name="Restart").first.click()
    page.get_by_label("The new job's name").fill("afresh")
    page.locator(f"input[value={'na' if target == 'nb' else 'nb'}]").check()
    page.get_by_role("button", name="Restart").click()
    done("afresh")
    context = service.host.context(Silent(), Token())
    for name in ("plain", "afresh"):
        operations.kill(context, name, remove=True)
    page.goto("/migrations")
    for number in (0, 1):
        page.get_by_role("checkbox").nth(number).check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("rowheader", name="downtime")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    window.close()

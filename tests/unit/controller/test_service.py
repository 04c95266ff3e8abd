# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tokens, the certificate, the log, the unit, and that there is one controller only."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transproc.cluster.store import JobStore
from transproc.controller import certificate, contexts, logs, systemd
from transproc.controller.client import Client
from transproc.controller.kept import begin
from transproc.controller.server import CLOSE_SECONDS, Server, listen
from transproc.controller.service import Service
from transproc.controller.tokens import Role, Tokens
from transproc.errors import TransprocError
from transproc.host import Host
from transproc.run import run


def test_tokens(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    tokens = Tokens(store.database)
    secret = tokens.add("alice", Role.OPERATE)
    found = tokens.check(secret)
    assert found is not None and (found.name, found.role, found.expires) == ("alice", Role.OPERATE, None)
    for wrong in (
        "",
        "x",
        secret[:-1],
        secret + "x",
        secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        "ä" * 60,
    ):
        assert tokens.check(wrong) is None
    assert secret.rpartition("_")[2].encode() not in store.path.read_bytes()
    brief = tokens.add("brief", Role.VIEW, 0.05)
    assert tokens.check(brief) is not None
    time.sleep(0.1)
    assert tokens.check(brief) is None
    with pytest.raises(TransprocError, match="there is one of that name"):
        tokens.add("alice", Role.VIEW)
    with pytest.raises(TransprocError, match="token name"):
        tokens.add("../x", Role.VIEW)
    tokens.remove("alice")
    assert tokens.check(secret) is None
    assert [role for role in Role if Role.OPERATE.includes(role)] == [Role.VIEW, Role.OPERATE]


def test_sessions(service: Service) -> None:
    token = service.tokens.check(service.tokens.add("a", Role.VIEW))
    assert token is not None
    cookie = service.sessions.begin(token)
    assert service.sessions.check(cookie) is not None
    identity, expires, signature = cookie.split(".")
    for wrong in (
        "",
        ".",
        "..",
        f"{identity}.{int(expires) + 1}.{signature}",
        cookie[:-1],
        cookie + "ä",
        f"x.{cookie}",
    ):
        assert service.sessions.check(wrong) is None, wrong
    service.tokens.remove("a")
    assert service.sessions.check(cookie) is None


def test_one_controller_only(service: Service) -> None:
    with pytest.raises(TransprocError, match=r"another controller works with it \(process \d+\)"):
        Service(Host(JobStore(service.store.directory)))


def test_a_name_server_that_is_away_holds_up_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr("socket.getfqdn", answer.wait)
    monkeypatch.setattr(certificate, "NAME_SECONDS", 0.01)
    assert certificate.own_names("10.0.0.1")[0::4] == ["localhost", "10.0.0.1"]
    answer.set()


@contextmanager
def secured(service: Service, made: certificate.Certificate) -> Iterator[str]:
    """Its URL, while it answers."""
    place = listen("127.0.0.1", 0)
    server = Server(service, made)
    thread = threading.Thread(target=server.run, args=[[place]])
    thread.start()
    try:
        yield f"https://localhost:{place.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()


def own(service: Service) -> certificate.Certificate:
    return certificate.ensure(service.directory, "127.0.0.1")


def test_a_client_asks_again_by_the_same_connection(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it was used just now and the controller has not ended it; an answer that was not read is the end of one."""
    begun: list[object] = []
    monkeypatch.setattr("transproc.controller.client.begin", lambda one: (begun.append(one), begin(one)))
    with secured(service, own(service)) as url:
        secret = service.tokens.add("a", Role.VIEW)
        client = Client(contexts.Controller(url, secret, contexts.shown_certificate(url)))
        for _ in range(3):
            assert client.get("/me")["name"] == "a"
        assert client.jobs() == [] and len(begun) == 1
        with client.stream("/events"):
            assert len(begun) == 1
            client.get("/me")
        assert len(begun) == 2
        monkeypatch.setattr("transproc.controller.kept.SECONDS", 0.0)
        client.get("/me")
        assert len(begun) == 3
        monkeypatch.undo()
        (idle,) = (one for _, one in client._kept._idle)
        idle.sock.shutdown(socket.SHUT_RDWR)
        assert client.get("/me")["name"] == "a", "one that has ended is not used"


def test_who_asks_nothing_holds_up_no_stop(service: Service) -> None:
    with secured(service, own(service)) as url:
        secret = service.tokens.add("a", Role.VIEW)
        client = Client(contexts.Controller(url, secret, contexts.shown_certificate(url)))
        client.get("/me")
        began = time.monotonic()
    assert time.monotonic() - began < CLOSE_SECONDS - 1
    with pytest.raises(TransprocError, match="Connection refused"):
        client.post("/me")


def test_the_certificate_that_was_accepted_is_the_only_one(service: Service, tmp_path: Path) -> None:
    made = certificate.ensure(tmp_path / "state" / "controller", "127.0.0.1")
    assert certificate.ensure(made.path.parent, "0.0.0.0") == made
    assert made.key.stat().st_mode & 0o777 == 0o600
    with secured(service, made) as url:
        pem = contexts.shown_certificate(url)
        assert contexts.fingerprint(pem) == f"sha256:{made.fingerprint}"
        secret = service.tokens.add("a", Role.VIEW)
        assert Client(contexts.Controller(url, secret, pem)).get("/me")["name"] == "a"
        (tmp_path / "other").mkdir()
        other = certificate.ensure(tmp_path / "other", "127.0.0.1")
        with pytest.raises(TransprocError, match="another certificate than the one that was accepted"):
            Client(contexts.Controller(url, secret, other.path.read_text())).get("/me")
        with pytest.raises(TransprocError, match="another certificate"):
            Client(contexts.Controller(url, secret)).get("/me")


def test_the_list_of_controllers_is_for_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
    one = contexts.Controller("https://host:1", "secret")
    contexts.save("a", {"a": one})
    assert contexts.load() == ("a", {"a": one}) and contexts.find("https://host:1/") == one
    assert contexts.path().stat().st_mode & 0o777 == 0o600
    with pytest.raises(TransprocError, match="controller b: unknown; there are a"):
        contexts.find("b")
    for wrong in ("http://host", "https://", "host", "https://host/path", "https://host:0", "https://host:x"):
        with pytest.raises(TransprocError, match="expected https"):
            contexts.checked_url(wrong)
    contexts.path().write_text("{")
    with pytest.raises(TransprocError, match="not a list of controllers"):
        contexts.load()


def test_log_lines() -> None:
    record = logging.makeLogRecord({"msg": "task", "levelname": "INFO", "job": "j\n\x1b[2J", "state": "done"})
    found = json.loads(logs.JsonLines().format(record))
    assert found["message"] == "task" and found["job"] == "j\n\x1b[2J" and found["state"] == "done"
    text = logs.Lines().format(record)
    assert "\n" not in text and "\x1b" not in text and "job=j" in text


def test_the_unit(tmp_path: Path) -> None:
    text = systemd.unit(["--listen", "0.0.0.0:8421", "--job-user", "50% off"], 30)
    assert "serve --listen 0.0.0.0:8421 --job-user '50%% off'" in text and "TimeoutStopSec=90" in text
    if shutil.which("systemd-analyze"):
        path = tmp_path / "transproc.service"
        path.write_text(text)
        assert run(["systemd-analyze", "verify", path], check=False).stderr == b""

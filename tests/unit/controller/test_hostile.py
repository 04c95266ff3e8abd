# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Clients that mean no good: slow ones, many of them, and requests that nobody would write."""

from __future__ import annotations

import contextlib
import io
import socket
import string
import tarfile
import time
import urllib.parse
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transproc.controller import bounds, connections
from transproc.controller.service import Service


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def ends_within(line: socket.socket, seconds: float) -> bool:
    line.settimeout(seconds)
    try:
        while line.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@pytest.mark.parametrize(
    "sent", [b"", b"GET /health HTTP/1.1\r\n", b"GET /health HTTP/1.1\r\nA: b\r\n\r\nGET"]
)
def test_who_does_not_ask(url: str, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with connected(url) as line:
        line.sendall(sent)
        assert ends_within(line, 5)


def test_who_does_not_end_his_request(
    client: httpx.Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BODY_SECONDS", 0.3)
    head = "POST /api/v1/jobs/j/kill HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
    with connected(url) as line:
        line.sendall(f"{head}Authorization: {client.headers['authorization']}\r\n\r\n{{".encode())
        line.settimeout(5)
        assert b" 408 " in line.recv(4096)


def test_who_does_not_read(service: Service, client: httpx.Client, url: str) -> None:
    """Costs no memory: there is no queue for a listener, and nobody waits for it."""
    with connected(url) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['authorization']}\r\n\r\n"
        line.sendall(head.encode())
        line.recv(100)
        for number in range(30_000):
            service.stream.publish("note", {"message": "x" * 100, "number": number})
        assert client.get("/me").status_code == 200
        assert service.listeners == 1


def test_many_connections_of_one(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_OF_AN_ADDRESS", 20)
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(connected(url)) for _ in range(30)]
        time.sleep(0.3)
        assert sum(ends_within(line, 0.05) for line in lines) == 10
    for _ in range(100):
        with contextlib.suppress(httpx.HTTPError):
            assert httpx.get(f"{url}/health").status_code == 200
            return
        time.sleep(0.05)
    raise AssertionError("nobody is let in any more")


# --- uploads ---------------------------------------------------------------------------------------------------------


def archive(*members: tuple[str, bytes, dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, data, more in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            for key, value in more.items():
                setattr(member, key, value)
            made.addfile(member, io.BytesIO(data))
    return stream.getvalue()


DIRECTORY = ("top", b"", {"type": tarfile.DIRTYPE})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive" * 1000,
        archive(("file", b"x", {})),
        archive(DIRECTORY, ("top/../../escaped", b"x", {})),
        archive(DIRECTORY, ("/tmp/escaped", b"x", {})),
        archive(
            DIRECTORY, ("top/link", b"", {"type": tarfile.SYMTYPE, "linkname": "/"}), ("top/link/x", b"x", {})
        ),
        archive(DIRECTORY, ("top/link", b"", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})),
        archive(DIRECTORY, ("top/device", b"", {"type": tarfile.CHRTYPE})),
    ],
)
def test_files_that_nobody_should_send(service: Service, client: httpx.Client, data: bytes) -> None:
    upload = client.post("/uploads").json()["id"]
    answer = client.put(f"/uploads/{upload}/files", content=data)
    assert 400 <= answer.status_code < 500, answer.text
    place = service.directory / "uploads" / upload
    assert [path.name for path in place.iterdir()] == ["owner"]
    assert not Path("/tmp/escaped").exists()


def test_an_upload(service: Service, client: httpx.Client) -> None:
    upload = client.post("/uploads").json()["id"]
    setuid = {"mode": 0o4755, "uid": 0}
    assert client.put(
        f"/uploads/{upload}/files", content=archive(DIRECTORY, ("top/f", b"x", setuid))
    ).is_success
    assert client.put(f"/uploads/{upload}/x86_64", content=b"ELF").is_success
    assert client.put(f"/uploads/{upload}/x86_64", content=b"again").status_code == 422
    for path in ("other", "owner", "x86_64.new", ".."):
        assert client.put(f"/uploads/{upload}/{path}", content=b"x").status_code in (404, 405, 422)
    file = service.directory / "uploads" / upload / "files" / "f"
    assert file.read_bytes() == b"x" and file.stat().st_mode & 0o7077 == 0
    words = {"program": "../x", "node": "local", "upload": upload}
    assert "program's name alone" in client.post("/jobs", json=words).text
    words["program"] = "prog"
    task = client.post("/jobs?wait=20", json=words).json()
    assert task["state"] == "failed" and "prog" in task["error"]["message"]
    assert not file.exists(), "used once"
    assert client.post("/jobs", json=words).status_code == 404
    for _ in range(16):
        assert client.post("/uploads").status_code == 201
    assert client.post("/uploads").status_code == 409


@pytest.mark.parametrize(
    "words",
    [
        {"program": "/bin/true"},
        {"program": "p", "stdin": "/etc/shadow"},
        {"program": "p", "user": "root"},
        {"program": "p", "upload": "../../.."},
    ],
)
def test_what_an_operator_may_not(client: httpx.Client, words: dict[str, str]) -> None:
    assert client.post("/jobs", json={"node": "local", **words}).status_code in (404, 422)
    assert client.post("/restart", json={"directory": "/tmp", "node": "local"}).status_code == 422
    assert client.post("/restart", json={"directory": "\0", "node": "local"}).status_code == 422


# --- requests that nobody would write ----------------------------------------------------------------------------------

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


def value_of(schema: dict[str, Any], schemas: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema describes, its bounds now and then not."""
    if "$ref" in schema:
        return body_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return st.one_of([value_of(one, schemas) for one in schema["anyOf"]])
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(["a", "local", "../..", "\0", "j" * 40, "", "0x1"]) | st.text(max_size=60),
        "integer": st.integers(),
        "number": st.floats(),
        "boolean": st.booleans(),
        "null": st.none(),
        "array": st.lists(st.text(max_size=10), max_size=3),
        "object": st.dictionaries(st.text(string.ascii_letters, max_size=5), st.text(max_size=5), max_size=3),
    }
    return kinds.get(schema.get("type", ""), ANYTHING)


def body_of(schema: dict[str, Any], schemas: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = {name: value_of(field, schemas) for name, field in schema.get("properties", {}).items()}
    needed = {name: fields[name] for name in schema.get("required", [])}
    optional = {name: field for name, field in fields.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=optional)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_sent_is_answered(client: httpx.Client, data: st.DataObject) -> None:
    """Every answer is one of those that the description names, and none is a defect of ours."""
    described = client.get("/openapi.json").json()
    paths = sorted((path, method) for path, methods in described["paths"].items() for method in methods)
    path, method = data.draw(st.sampled_from([one for one in paths if "events" not in one[0]]))
    operation, schemas = described["paths"][path][method], described["components"]["schemas"]
    query: dict[str, str] = {}
    for parameter in operation.get("parameters", []):
        value = str(data.draw(value_of(parameter["schema"], schemas) | ANYTHING))
        if parameter["in"] == "path":
            path = path.replace(
                f"{{{parameter['name']}}}", urllib.parse.quote(value.encode(errors="replace"), safe="")
            )
        elif parameter["in"] == "query" and parameter["name"] not in ("wait", "follow"):
            query[parameter["name"]] = value.encode(errors="replace").decode()
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = data.draw(value_of(content.get("schema", {}), schemas) | ANYTHING) if content else None
    try:
        sent = httpx.Request("POST", "http://x", json=body).content
    except ValueError:  # NaN
        sent = b"NaN"
    url = str(client.base_url).removesuffix("/api/v1/") + path
    answer = client.request(
        method, url, params=query, content=sent, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code < 500 or answer.status_code in (502, 503), (
        method,
        path,
        query,
        body,
        answer.text,
    )
    if answer.status_code >= 400 and answer.headers.get("content-type", "").startswith("application/json"):
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/restart", "/jobs/j/restore"])
def test_null_is_no_body(client: httpx.Client, path: str) -> None:
    assert client.post(path, content=b"null", headers={"Content-Type": "application/json"}).status_code == 422

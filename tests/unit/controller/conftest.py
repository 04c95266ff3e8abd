# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller that answers over HTTP, in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from transproc.cluster.store import JobStore
from transproc.controller.server import Server, listen
from transproc.controller.service import Service, Settings
from transproc.controller.tokens import Role
from transproc.host import Host


@contextmanager
def answering(service: Service) -> Iterator[str]:
    """Its URL, while it answers."""
    place = listen("127.0.0.1", 0)
    server = Server(service, None)
    thread = threading.Thread(target=server.run, args=[[place]])
    thread.start()
    try:
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    nodes = tmp_path / "nodes.toml"
    nodes.write_text("")
    monkeypatch.setenv("TRANSPROC_NODES", str(nodes))
    made = Service(Host(JobStore(tmp_path / "state")), Settings(grace=5.0))
    yield made
    made.close()


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    with answering(service) as found:
        yield found


@pytest.fixture
def client(service: Service, url: str) -> Iterator[httpx.Client]:
    """With a token that may operate."""
    headers = {"Authorization": f"Bearer {service.tokens.add('operator', Role.OPERATE)}"}
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=20) as made:
        yield made

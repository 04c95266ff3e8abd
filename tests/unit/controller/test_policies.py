# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The controller's policy: who may change it, that it is kept, and that its moves are tasks."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import httpx
import pytest

from transproc.cluster.job import Job, State
from transproc.controller.policies import Keeper
from transproc.controller.service import Service
from transproc.controller.tokens import Role
from transproc.errors import BusyError, TransprocError

EVACUATE = '[[rule]]\nkind = "evacuate"\nnodes = "local"\n'


@pytest.fixture
def admin(service: Service, client: httpx.Client) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.tokens.add('admin', Role.ADMIN)}"}


def test_only_admins_change_it(service: Service, client: httpx.Client, admin: dict[str, str]) -> None:
    assert client.get("/policy").json() == {"text": None, "last": None}
    assert client.put("/policy", json={"text": EVACUATE}).status_code == 403
    assert client.delete("/policy").status_code == 403
    assert client.delete("/policy", headers=admin).status_code == 404
    assert client.put("/policy", json={"text": EVACUATE}, headers=admin).status_code == 200
    assert client.get("/policy").json()["text"] == EVACUATE
    path = service.directory / "policy.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Keeper(service.host, service.tasks, service.stream, path)
    assert again.text == EVACUATE
    assert client.delete("/policy", headers=admin).status_code == 204
    assert again.text is None


def test_a_wrong_one_is_refused_and_the_old_one_stays(client: httpx.Client, admin: dict[str, str]) -> None:
    client.put("/policy", json={"text": EVACUATE}, headers=admin)
    answer = client.put("/policy", json={"text": '[[rule]]\nkind = "fly"'}, headers=admin)
    assert answer.status_code == 422
    assert "line 2: kind cannot be 'fly'" in answer.json()["error"]["message"]
    assert client.put("/policy", json={"text": "#" * 70_000}, headers=admin).status_code == 422
    assert client.get("/policy").json()["text"] == EVACUATE


def test_labels_that_no_node_has_are_named_when_it_is_explained(client: httpx.Client) -> None:
    rules = ['kind = "evacuate"\nnodes = "leavign"', 'kind = "price"\ncheap = "local"\nfast = "swift"']
    found = client.post(
        "/policy/explain", json={"text": "".join(f"[[rule]]\n{rule}\n" for rule in rules)}
    ).json()
    assert [note.partition("): ")[2] for note in found["notes"]] == [
        "no node has the label leavign",
        "no node has the label swift",
    ]


def test_explain(service: Service, client: httpx.Client) -> None:
    assert "has no policy" in client.post("/policy/explain").json()["error"]["message"]
    service.store.create(Job("j", "local", ["prog"], state=State.RUNNING))
    found = client.post("/policy/explain", json={"text": EVACUATE}).json()
    assert found["moves"] == []
    assert found["notes"] == [
        "rule 1 (evacuate local): j should move (local is to be empty), but there is no other node"
    ]


def test_moves_are_tasks(service: Service) -> None:
    """tests/native/test_policies.py has one that succeeds."""
    service.store.create(Job("j", "local", ["prog"], state=State.RUNNING))
    with pytest.raises(TransprocError, match="node gone: unknown"):
        service.policies._act("j", "gone")
    (task,) = service.tasks.recent()
    assert (task.kind, task.job, task.who, task.request["to"]) == ("migrate", "j", "policy", "gone")
    service.policies.close()
    with pytest.raises(BusyError, match="is stopping"):
        service.policies._act("j", "gone")


def test_a_policy_that_was_damaged_by_hand(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[")
    keeper = Keeper(service.host, service.tasks, service.stream, path, every=0.1)
    keeper.start()
    assert "not valid TOML" in until(lambda: keeper.last and keeper.last.error)
    path.write_text(EVACUATE)
    until(lambda: keeper.last and not keeper.last.error)
    keeper.close()
    keeper.join()


def until(condition: object, seconds: float = 20) -> object:
    """Its value when that is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
    return found

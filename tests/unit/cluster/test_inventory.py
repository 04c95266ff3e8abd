# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The list of nodes is changed by programs and by hand, and neither loses what the other wrote."""

from __future__ import annotations

import stat
import subprocess
import threading
from pathlib import Path

import pytest

from transproc.cluster.description import Description
from transproc.cluster.inventory import Inventory, choose_key, fingerprint, host_keys, jobs_on, user_key
from transproc.cluster.job import Job, State
from transproc.cluster.node import read
from transproc.cluster.ssh import Address
from transproc.cluster.store import JobStore
from transproc.errors import FormatError, NodeError, TransprocError
from transproc.lab import keys

PI = Address("10.0.0.2", Path("/k e/y"), "ssh-ed25519 AAAA", 2200, "pi", sudo=True)
MINE = """\
# my machines
[old]                  # in the cellar
host = "10.0.0.9"
key = "keys/old"       # relative
host_key = "ssh-ed25519 AAAA"
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "config" / "nodes.toml")


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "state")


def test_what_was_added_is_read(inventory: Inventory) -> None:
    described = Description(frozenset({"cheap", "arm"}), 4, 0.5, "br1", "pi.lan", compression=True)
    inventory.add("pi", PI, described)
    (found,) = read(inventory.path)
    assert (found.name, found.address, found.description) == ("pi", PI, described)
    assert stat.S_IMODE(inventory.path.stat().st_mode) == 0o600
    assert [path.name for path in inventory.path.parent.iterdir()] == ["nodes.toml"]


def test_comments_stay(inventory: Inventory, store: JobStore) -> None:
    inventory.path.parent.mkdir()
    inventory.path.write_text(MINE)
    inventory.add("pi", PI, Description())
    assert inventory.path.read_text().startswith(MINE)
    assert inventory.names() == ["old", "pi"]
    inventory.remove("pi", store)
    assert inventory.path.read_text().rstrip("\n") == MINE.rstrip("\n")


def test_a_link_stays_one(inventory: Inventory, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text(MINE)
    link = tmp_path / "nodes.toml"
    link.symlink_to(real)
    Inventory(link).add("pi", PI, Description())
    assert link.is_symlink()
    assert len(read(real)) == 2


def test_two_at_once(inventory: Inventory) -> None:
    names = [f"n{number}" for number in range(8)]
    threads = [threading.Thread(target=inventory.add, args=[name, PI, Description()]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(inventory.names()) == names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("local", "this machine's"),
        ("old", "is listed in .* already"),
        ("Pi", "node name 'Pi': expected lower-case"),
        ("../x", "node name"),
    ],
)
def test_names_that_cannot_be_added(inventory: Inventory, name: str, message: str) -> None:
    inventory.path.parent.mkdir()
    inventory.path.write_text(MINE)
    with pytest.raises(TransprocError, match=message):
        inventory.add(name, PI, Description())
    assert inventory.path.read_text() == MINE


def test_a_damaged_list_is_left_alone(inventory: Inventory, store: JobStore) -> None:
    inventory.path.parent.mkdir()
    inventory.path.write_text("[x")
    with pytest.raises(FormatError, match="not valid TOML"):
        inventory.add("pi", PI, Description())
    with pytest.raises(FormatError, match="not valid TOML"):
        inventory.remove("x", store)
    assert inventory.path.read_text() == "[x"


def test_a_node_with_jobs_stays(inventory: Inventory, store: JobStore) -> None:
    inventory.add("pi", PI, Description())
    jobs = {
        "here": Job("here", "pi", ["prog"], state=State.RUNNING),
        "coming": Job("coming", "x86", ["prog"], state=State.RESTORED, target="pi"),
        "copy": Job("copy", "x86", ["prog"], state=State.RUNNING, leftovers=["pi"]),
        "ended": Job("ended", "pi", ["prog"], state=State.EXITED, exit="status 0"),
        "elsewhere": Job("elsewhere", "x86", ["prog"], state=State.RUNNING),
    }
    for job in jobs.values():
        store.create(job)
    with pytest.raises(NodeError, match="jobs are there: coming, copy, here"):
        inventory.remove("pi", store)
    assert inventory.names() == ["pi"]
    for name in ("here", "coming", "copy"):
        store.remove(name)
    assert jobs_on(store, "pi") == []
    inventory.remove("pi", store)
    assert inventory.names() == []


def test_only_listed_nodes_are_removed(inventory: Inventory, store: JobStore) -> None:
    for name, message in (("local", "is this machine"), ("x86", "is not listed")):
        with pytest.raises(NodeError, match=message):
            inventory.remove(name, store)


def test_fingerprints_are_those_of_openssh(tmp_path: Path) -> None:
    key = keys.ensure(tmp_path / "key")
    path = tmp_path / "key.pub"
    path.write_text(key.public + "\n")
    said = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, check=True, text=True).stdout
    assert fingerprint(key.public) == said.split()[1]
    other = keys.ensure(tmp_path / "other").public
    for wanted in (said.split()[1], said.split()[1].removeprefix("SHA256:")):
        assert choose_key("h", [other, key.public], wanted) == key.public
    with pytest.raises(NodeError, match="expected SHA256:nothing"):
        choose_key("h", [other], "SHA256:nothing")


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 $$$"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(FormatError, match="not a host key"):
        fingerprint(key)


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "", "a\nb"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(TransprocError, match="expected a name or an address"):
        host_keys(host, 22)


def test_a_machine_without_a_server() -> None:
    with pytest.raises(NodeError, match="no SSH server answers on port 1"):
        host_keys("127.0.0.1", 1)


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(NodeError, match=r"there is no such host") as raised:
        host_keys("nobody.invalid", 1)
    assert "is the name right" in (raised.value.hint or "")


def test_the_usual_key_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(TransprocError, match="no key in") as raised:
        user_key(None)
    assert "ssh-keygen" in (raised.value.hint or "")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_rsa").touch()
    assert user_key(None).name == "id_rsa"
    (tmp_path / ".ssh/id_ed25519").touch()
    assert user_key(None).name == "id_ed25519"
    with pytest.raises(TransprocError, match="no such file"):
        user_key(tmp_path / "other")

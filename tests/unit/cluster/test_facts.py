# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What nodes say of themselves is read exactly, and what cannot be meant is refused."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc.cluster import facts
from transproc.cluster.beside import beside
from transproc.cluster.facts import Facts, parse
from transproc.cluster.node import LocalNode
from transproc.errors import NodeError, TransprocError
from transproc.host import Host

GOOD = {
    "isa": "aarch64",
    "kernel": "6.12.48+deb13-arm64",
    "cpus": "4",
    "load": "2.50",
    "uptime": "86400.25",
    "memory": "8000000",
    "available": "6000000",
    "disk": "1000",
    "ids": "32768",
    "page": "4",
    "cpu": "fp asimd evtstrm crc32",
    "criu": "4.1.1",
    "time": "1000.25",
}


def answer(**changes: str | None) -> bytes:
    found = {**GOOD, **changes}
    return "".join(f"{key}={value}\n" for key, value in found.items() if value is not None).encode()


def test_everything_is_read() -> None:
    found = parse(answer(), began=1000.0, took=0.1)
    assert found == Facts(
        isa="aarch64",
        cpus=4,
        load=2.5,
        memory=8_000_000 * 1024,
        available=6_000_000 * 1024,
        disk=1_024_000,
        kernel="6.12.48+deb13-arm64",
        criu="4.1.1",
        page=4096,
        uptime=86400.25,
        clock=0.2,
        answer=0.1,
        ids=32768,
        abilities=frozenset({"fp", "asimd", "evtstrm", "crc32"}),
    )
    assert found.busy == 0.625
    assert "abilities" not in found.as_dict()


@pytest.mark.parametrize("date", ["1000", "1000.", "1000.%N", "1000.N"])
def test_a_date_without_fractions_is_half_a_second_late(date: str) -> None:
    assert parse(answer(time=date), began=1000.5, took=0.0).clock == 0.0


def test_a_node_without_criu() -> None:
    assert parse(answer(criu=""), began=0, took=0).criu == ""


@pytest.mark.parametrize(
    "change",
    [
        {"isa": "x86_64; rm -rf /"},
        {"isa": None},
        {"cpus": "0"},
        {"cpus": "-4"},
        {"cpus": "100000"},
        {"load": "nan"},
        {"load": "1e400"},
        {"memory": ""},
        {"memory": "9" * 17},
        {"kernel": "\x1b[2J"},
        {"criu": "4.1.1 \x1b]0;x\x07"},
        {"time": "²"},
        {"cpu": "x" * (1 << 16)},
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, str | None]) -> None:
    with pytest.raises((ValueError, LookupError)):
        parse(answer(**change), began=0, took=0)


@given(
    st.binary(max_size=300) | st.lists(st.sampled_from([*answer().splitlines(), b"cpus=x"])).map(b"\n".join)
)
def test_any_answer_is_facts_or_an_error(data: bytes) -> None:
    try:
        found = parse(data, began=0.0, took=0.0)
    except (ValueError, LookupError):
        return
    assert found.cpus > 0


def test_this_machine() -> None:
    with LocalNode() as node:
        found = facts.ask(node)
    memory = Path("/proc/meminfo").read_text()
    assert found.isa == os.uname().machine
    assert found.kernel == os.uname().release
    assert found.cpus == os.cpu_count()
    assert found.memory // 1024 == int(re.findall(r"MemTotal: *(\d+)", memory)[0])
    assert 0 < found.available <= found.memory
    assert found.page == os.sysconf("SC_PAGE_SIZE")
    assert abs(found.clock) <= found.answer
    assert abs(found.uptime - float(Path("/proc/uptime").read_text().split()[0])) < 10


@pytest.mark.parametrize("shell", [["dash", "-c"], ["bash", "--posix", "-c"], ["busybox", "sh", "-c"]])
def test_shells(shell: list[str], tmp_path: Path) -> None:
    """The script needs nothing that one of them lacks."""
    words = [*shell, facts.SCRIPT, "sh", str(tmp_path / "not/there"), "no-such-criu"]
    try:
        done = subprocess.run(words, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"no {shell[0]} here")
    assert done.stderr == b""
    assert parse(done.stdout, began=time.time(), took=0.0).criu == ""


def test_a_node_that_does_not_answer_is_not_waited_for() -> None:
    answered = threading.Event()

    def fail() -> int:
        raise NodeError("b", "no")

    found = beside({"a": lambda: 1, "b": fail, "c": lambda: int(answered.wait(60))}, 0.2)
    answered.set()
    assert found.pop("a") == 1
    assert isinstance(found.pop("b"), NodeError)
    assert found == {}


class TestHost:
    def test_what_the_owner_says(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "nodes.toml"
        monkeypatch.setenv("TRANSPROC_NODES", str(path))
        row = '[pi]\nhost = "h"\nkey = "k"\nhost_key = "x"\n'
        path.write_text(row + 'labels = ["arm", "cheap"]\ncapacity = 4\nprice = 0.12\n[local]\nprice = 1\n')
        host = Host()
        found = host.description("pi")
        assert (found.labels, found.capacity, found.price) == ({"arm", "cheap"}, 4, 0.12)
        assert found.all_labels("pi", "aarch64") == {"arm", "cheap", "pi", "aarch64"}
        assert host.description("local").price == 1.0

    def test_a_changed_list_is_read_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "nodes.toml"
        monkeypatch.setenv("TRANSPROC_NODES", str(path))
        row = '[pi]\nhost = "h"\nkey = "k"\nhost_key = "x"\n'
        path.write_text(row)
        host = Host()
        before = host.node("pi")
        path.write_text(row + "capacity = 2\n")
        assert host.node("pi") is before
        assert host.description("pi").capacity == 2
        path.write_text(row.replace('"h"', '"other"'))
        assert host.node("pi") is not before
        path.write_text("")
        with pytest.raises(NodeError, match="unknown"):
            host.node("pi")

    def test_a_survey_says_why_a_node_has_no_facts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "nodes.toml"
        monkeypatch.setenv("TRANSPROC_NODES", str(path))
        path.write_text('[gone]\nhost = "127.0.0.1"\nport = 1\nkey = "k"\nhost_key = "ssh-ed25519 AAAA"\n')
        host = Host()
        found = host.survey(["local", "gone"], deadline=20)
        host.close()
        assert isinstance(found["local"], Facts)
        assert isinstance(found["gone"], TransprocError)

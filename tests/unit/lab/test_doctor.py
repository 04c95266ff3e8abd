# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Findings about nodes, on answers of synthetic ones, and about this machine."""

from __future__ import annotations

import subprocess
import time

import pytest

from transproc.lab import checkup, doctor
from transproc.lab.findings import Finding, version

GOOD = {
    "uid": "0",
    "isa": "aarch64",
    "kernel": "6.12.1-cloud",
    "page": "4",
    "memory": "900000",
    "disk": "800000",
    "tar": "/usr/bin/tar",
    "criu": "Version: 4.1.1",
    "check": "Looks good.",
}


class Answers:
    """A node that gives these answers, with the clock off by `skew` seconds."""

    name = "pi"

    def __init__(self, skew: float = 0.0, **changes: str) -> None:
        facts = {**GOOD, "time": str(int(time.time() + skew)), **changes}
        self.text = "".join(f"{key}={value}\n" for key, value in facts.items())

    def once(self, script: str, *, timeout: float) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([script], 0, self.text.encode(), b"")


class This:
    """This machine: the script itself must run in a POSIX shell."""

    name = "local"

    def once(self, script: str, *, timeout: float) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["sh", "-c", script], capture_output=True, check=False, timeout=timeout)


def failed(node: Answers) -> dict[str, Finding]:
    return {finding.name: finding for finding in checkup.node(node) if not finding.ok}


def test_a_good_node_has_no_faults() -> None:
    assert failed(Answers()) == {}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"uid": "1000"}, "root"),
        ({"kernel": "4.19.0"}, "kernel"),
        ({"page": "64"}, "page size"),
        ({"memory": "50000"}, "memory"),
        ({"disk": ""}, "disk at /var/lib/transproc"),
        ({"tar": ""}, "tar"),
        ({"lacks": "head mktemp", "system": "alpine"}, "programs"),
        ({"criu": "Version: 3.17.1"}, "criu"),
        ({"criu": "Version: 4.1"}, "criu"),
        ({"criu": "sh: criu: not found"}, "criu"),
        ({"check": "Error (criu/cr-check.c:1): no"}, "criu check"),
        ({"time": ""}, "clock"),
    ],
)
def test_each_fault_is_found_alone_and_has_a_remedy(changes: dict[str, str], name: str) -> None:
    faults = failed(Answers(**changes))
    assert set(faults) == {name}
    assert faults[name].remedy or name == "clock"


@pytest.mark.parametrize(("skew", "found"), [(30.0, "30 s ahead"), (-30.0, "30 s behind")])
def test_skew_has_a_direction(skew: float, found: str) -> None:
    assert failed(Answers(skew))["clock"].found == found


def test_the_script_answers_on_a_real_system() -> None:
    findings = {finding.name: finding for finding in checkup.node(This())}
    assert findings["clock"].found == "as here"
    assert findings["page size"].found in ("4 kB", "16 kB", "64 kB")
    assert findings["memory"].found != "0 MB free"
    assert findings["tar"].ok


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg)", (7, 2, 22)),
        ("Debian clang version 19.1.7 (3)", (19, 1, 7)),
        ("1.11.1\n", (1, 11, 1)),
        ("none", ()),
    ],
)
def test_version(text: str, expected: tuple[int, ...]) -> None:
    assert version(text) == expected


def test_a_missing_tool_names_its_package() -> None:
    finding = doctor._tool(doctor.Tool(("no-such-program", "--version"), "some-package"))
    assert finding == Finding("no-such-program", False, "not installed", "apt-get install some-package")


def test_an_old_tool_says_what_is_wanted() -> None:
    finding = doctor._tool(doctor.Tool(("tar", "--version"), "tar", (99,)))
    assert not finding.ok
    assert finding.found.endswith("99 wanted")


@pytest.mark.parametrize(
    ("system", "remedy"),
    [
        ({"system": "debian", "release": '"13"'}, "apt-get install criu, 4.1.1 or later"),
        ({"system": "debian", "release": '"12"'}, "Debian 12 has no criu 4.1.1 or later: upgrade to 13"),
        ({"system": "raspbian", "release": '"12"'}, "Debian 12 has no criu"),
        (
            {"system": "ubuntu", "like": "debian", "release": '"24.04"'},
            "apt-get install criu, 4.1.1 or later (if",
        ),
        ({"system": "alpine", "release": "3.22.1"}, "apk add criu, 4.1.1 or later (in the repository"),
        ({"system": '"rocky"', "like": '"rhel centos fedora"'}, "dnf install criu"),
        ({"system": "linuxmint", "like": '"ubuntu debian"'}, "apt-get install criu"),
        ({}, "install criu"),
    ],
)
def test_each_system_gets_criu_in_its_own_way(system: dict[str, str], remedy: str) -> None:
    (finding,) = failed(Answers(criu="sh: criu: not found", **system)).values()
    assert finding.remedy.startswith(remedy)


def test_a_raspberry_pi_can_have_small_pages() -> None:
    found = failed(Answers(page="16", kernel="6.12.47+rpt-rpi-2712"))
    assert "kernel8.img" in found["page size"].remedy


def test_a_system_of_32_bits_is_no_node() -> None:
    found = failed(Answers(isa="armv7l"))
    assert "64 bit" in found["ISA"].remedy


def test_what_a_node_says_may_be_nonsense() -> None:
    found = failed(Answers(memory="x", disk="-1", time="²"))
    assert found.keys() == {"memory", "disk at /var/lib/transproc", "clock"}

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a node lacks for being the source or target of a migration: each question with its answer and a remedy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from subprocess import CompletedProcess
from typing import Protocol

from transproc.isa import ALL
from transproc.lab.findings import Finding, Version, enough, kernel, version
from transproc.text import dotted

MINIMUM_CRIU: Version = (4, 1, 1)
"""Older ones do not start on kernels from 6.13 on: they do not know the vDSO's size there."""
PAGE_SIZE_KB = 4
"""An image with one page size cannot be restored on another; x86_64 has only this one."""
MINIMUM_NODE_MB = 100
MAXIMUM_SKEW_SECONDS = 2.0
"""`date` of a small shell counts whole seconds; wall-clock time jumps by the skew when a process moves."""


class Runs(Protocol):
    """What of a node is used here (transproc.cluster is not below this package)."""

    name: str

    def once(self, script: str, *, timeout: float) -> CompletedProcess[bytes]:
        """Runs a shell script on the node, which may lack everything else."""


# One connection and one shell: what a line starts with is what `_NODE` looks up. Nothing beyond POSIX but criu, and
# /proc in place of getconf, which a small system may lack.
_SCRIPT = """
echo uid=$(id -u)
echo isa=$(uname -m)
echo kernel=$(uname -r)
echo page=$(sed -n 's/^KernelPageSize: *\\([0-9]*\\).*/\\1/p' /proc/self/smaps | head -n 1)
echo memory=$(sed -n 's/^MemAvailable: *\\([0-9]*\\).*/\\1/p' /proc/meminfo)
mkdir -p /var/lib/transproc
echo disk=$(df -Pk /var/lib/transproc | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\\([0-9]*\\) .*/\\1/p')
echo system=$(sed -n 's/^ID=//p' /etc/os-release 2>/dev/null)
echo like=$(sed -n 's/^ID_LIKE=//p' /etc/os-release 2>/dev/null)
echo release=$(sed -n 's/^VERSION_ID=//p' /etc/os-release 2>/dev/null)
echo tar=$(command -v tar)
lacks=
for t in cat chmod df grep head ls mkdir mktemp mv readlink rm sed sleep tail tr wc; do
  command -v $t >/dev/null || lacks="$lacks $t"
done
echo lacks=$lacks
b=/var/lib/transproc/bin/criu
c=criu; [ ! -x $b/criu ] || c="$b/ld.so --library-path $b/lib $b/criu"
echo criu=$($c --version 2>&1 | head -n 1)
echo check=$($c check 2>&1 | tail -n 1)
echo time=$(date +%s)
"""


def node(node: Runs) -> list[Finding]:
    """Everything about a node; raises NodeError if it cannot be reached."""
    done = node.once(_SCRIPT, timeout=60)
    facts = dict(
        line.split("=", 1) for line in done.stdout.decode(errors="replace").splitlines() if "=" in line
    )
    return [finding(facts) for finding in _NODE] + [_skew(facts, time.time())]


Facts = Mapping[str, str]


def _root(facts: Facts) -> Finding:
    ok = facts.get("uid") == "0"
    return Finding(
        "root",
        ok,
        f"user id {facts.get('uid', '?')}",
        "" if ok else "criu needs root: set user, or sudo = true, in nodes.toml",
    )


def _node_kernel(facts: Facts) -> Finding:
    return kernel(facts.get("kernel", "unknown"))


def _isa(facts: Facts) -> Finding:
    found, known = facts.get("isa", ""), [isa.name for isa in ALL]
    ok = found in known
    remedy = "" if ok else f"a system for {' or '.join(known)}"
    if found.startswith("arm"):
        remedy += " (64 bit: Raspberry Pi OS has both)"
    return Finding("ISA", ok, found or "no answer", remedy)


def _page(facts: Facts) -> Finding:
    found = facts.get("page", "")
    ok = found == str(PAGE_SIZE_KB)
    remedy = "" if ok else f"a kernel with {PAGE_SIZE_KB} kB pages"
    if not ok and "rpi" in facts.get("kernel", ""):
        remedy += ": kernel=kernel8.img in /boot/firmware/config.txt"
    return Finding("page size", ok, f"{found or '?'} kB", remedy)


def _node_memory(facts: Facts) -> Finding:
    return enough("memory", _kilobytes(facts, "memory") // 1024, MINIMUM_NODE_MB)


def _node_disk(facts: Facts) -> Finding:
    return enough("disk at /var/lib/transproc", _kilobytes(facts, "disk") // 1024, MINIMUM_NODE_MB)


def _kilobytes(facts: Facts, name: str) -> int:
    """What a node does not tell is nothing."""
    text = facts.get(name, "")[:18]
    return int(text) if text.isdecimal() else 0


_INSTALL = {
    "alpine": "apk add",
    "arch": "pacman -S",
    "debian": "apt-get install",
    "fedora": "dnf install",
    "raspbian": "apt-get install",
    "suse": "zypper install",
    "ubuntu": "apt-get install",
}
"""By ID, or a word of ID_LIKE, of os-release(5)."""


def _systems(facts: Facts) -> list[str]:
    """What its system is, and what it is like."""
    return [word.strip("\"'") for word in f"{facts.get('system', '')} {facts.get('like', '')}".split()]


def _install(facts: Facts, package: str) -> str:
    """How its system gets a package."""
    command = next((_INSTALL[name] for name in _systems(facts) if name in _INSTALL), "install")
    return f"{command} {package}"


def _install_criu(facts: Facts) -> str:
    """Not every release has a criu that starts on current kernels."""
    system, release = [*_systems(facts), ""][0], version(facts.get("release", ""))
    wanted = f"{dotted(MINIMUM_CRIU)} or later"
    return f"{_criu_of(facts, system, release, wanted)}; or let it be brought: 'transproc nodes check NODE --bring-criu'"


def _criu_of(facts: Facts, system: str, release: Version, wanted: str) -> str:
    """From whoever makes the system."""
    if system in ("debian", "raspbian") and () < release < (13,):
        return f"Debian {dotted(release)} has no criu {wanted}: upgrade to 13, or build it (criu.org/Installation)"
    if system == "ubuntu":
        return f"{_install(facts, 'criu')}, {wanted} (if 'apt-cache policy criu' has none: add-apt-repository ppa:criu/ppa)"
    if system == "alpine":
        return f"{_install(facts, 'criu')}, {wanted} (in the repository 'community')"
    return f"{_install(facts, 'criu')}, {wanted}"


def _node_tar(facts: Facts) -> Finding:
    found = facts.get("tar", "")
    return Finding("tar", bool(found), found or "not installed", "" if found else _install(facts, "tar"))


def _node_tools(facts: Facts) -> Finding:
    lacks = facts.get("lacks", "").split()
    remedy = _install(facts, "coreutils grep sed (or busybox)") if lacks else ""
    return Finding("programs", not lacks, f"no {', '.join(lacks)}" if lacks else "all there", remedy)


def _node_criu(facts: Facts) -> Finding:
    text = facts.get("criu", "")
    ok = text.startswith("Version:") and version(text) >= MINIMUM_CRIU
    if "not found" in text or not text:
        return Finding("criu", False, "not installed", _install_criu(facts))
    return Finding("criu", ok, text, "" if ok else _install_criu(facts))


def _node_check(facts: Facts) -> Finding:
    text = facts.get("check", "")
    ok = text == "Looks good."
    return Finding(
        "criu check",
        ok,
        text or "no answer",
        ""
        if ok
        else "see to criu first"
        if facts.get("criu", "").find("Version:")
        else "'criu check --all' there says more",
    )


def _skew(facts: Facts, now: float) -> Finding:
    if not facts.get("time", "").isdecimal():
        return Finding("clock", False, "no answer")
    skew = float(facts["time"]) + 0.5 - now  # `date` cut half a second off, on average
    ok = abs(skew) <= MAXIMUM_SKEW_SECONDS
    found = "as here" if ok else f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    return Finding("clock", ok, found, "" if ok else "synchronise the clocks (NTP)")


_NODE: tuple[Callable[[Facts], Finding], ...] = (
    *(
        _root,
        _isa,
        _node_kernel,
        _page,
        _node_memory,
        _node_disk,
        _node_tar,
        _node_tools,
        _node_criu,
        _node_check,
    ),
)

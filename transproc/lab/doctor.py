# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What this machine lacks for building programs and running the lab: each question with its answer and a remedy."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transproc import paths
from transproc.errors import LabError
from transproc.lab import qemu, rootfs
from transproc.lab.findings import Finding, Version, enough, kernel, version
from transproc.run import run
from transproc.text import dotted

MINIMUM_DISK_MB = 3000
MINIMUM_MEMORY_MB = 3000


@dataclass(frozen=True)
class Tool:
    """A program that the host must have: how its version is asked for and the Debian package that brings it."""

    argv: tuple[str, ...]
    package: str
    minimum: Version = ()


TOOLS = (
    Tool(("clang-19", "--version"), "clang-19", (19,)),
    Tool(("ld.lld-19", "--version"), "lld-19", (19,)),
    Tool(("llvm-config-19", "--version"), "llvm-19-dev", (19,)),
    Tool(("opt-19", "--version"), "llvm-19", (19,)),
    Tool(("cmake", "--version"), "cmake", (3, 20)),
    Tool(("ninja", "--version"), "ninja-build"),
    Tool(("qemu-system-x86_64", "--version"), "qemu-system-x86", (7, 2)),
    Tool(("qemu-system-aarch64", "--version"), "qemu-system-arm", (7, 2)),
    Tool(("mmdebstrap", "--version"), "mmdebstrap", (1, 2)),
    Tool(("tar", "--version"), "tar"),
    Tool(("ssh", "-V"), "openssh-client"),
)


def host() -> list[Finding]:
    """Everything about this machine; starts the tools to ask their versions, which takes about a second."""
    checks: list[Callable[[], Finding]] = [_packages, _kvm, _kernel, _criu, _memory, _disk]
    return [*map(_tool, TOOLS), *(check() for check in checks)]


def _tool(tool: Tool) -> Finding:
    name, remedy = tool.argv[0], f"apt-get install {tool.package}"
    if shutil.which(name) is None:
        return Finding(name, False, "not installed", remedy)
    done = run(tool.argv, check=False, timeout=20)
    found = version((done.stdout + done.stderr).decode(errors="replace"))
    if done.returncode or found < tool.minimum:
        wanted = f", {dotted(tool.minimum)} wanted" if tool.minimum else ""
        return Finding(name, False, f"{dotted(found) or 'does not run'}{wanted}", remedy)
    return Finding(name, True, dotted(found))


def _packages() -> Finding:
    """The pinned Python packages of this installation."""
    wrong = []
    pins = [
        line.split("==") for line in importlib.metadata.requires("transproc") or [] if "extra" not in line
    ]
    for name, wanted in pins:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != wanted:
            wrong.append(f"{name} {found}, {wanted} wanted")
    return Finding(
        "python packages",
        not wrong,
        "; ".join(wrong) or f"{len(pins)} as pinned",
        "make setup, or pipx reinstall transproc" if wrong else "",
    )


def _kvm() -> Finding:
    """Never a fault: without KVM both machines are emulated."""
    usable = any(qemu.kvm_possible(guest) for guest in qemu.GUESTS)
    found = "may be tried" if usable else "not accessible: the lab emulates both machines"
    return Finding("kvm", True, found)


def _kernel() -> Finding:
    return kernel(os.uname().release)


def _criu() -> Finding:
    """The lab's criu on this kernel, by which this machine is itself a node."""
    try:
        done = run([*rootfs.host_criu(), "check"], check=False, timeout=30)
    except LabError as error:
        return Finding("criu on this host", False, error.message, error.hint or "")
    text = (done.stdout + done.stderr).decode(errors="replace").strip()
    if done.returncode == 0:
        return Finding("criu on this host", True, "criu check passes")
    return Finding(
        "criu on this host", False, text.splitlines()[-1] if text else "criu check fails", "run as root"
    )


def _memory() -> Finding:
    text = Path("/proc/meminfo").read_text()
    return enough("memory", int(text.split("MemAvailable:")[1].split()[0]) // 1024, MINIMUM_MEMORY_MB)


def _disk() -> Finding:
    home = paths.home()
    return enough(f"disk at {home}", shutil.disk_usage(home).free >> 20, MINIMUM_DISK_MB)

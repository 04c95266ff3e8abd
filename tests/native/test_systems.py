# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jobs go to nodes of other systems and come back; and of several criu the newest that works is used."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes, Setting
from tests.native.systems import busybox
from transproc.cli import common, main
from transproc.cluster import criu, facts
from transproc.cluster.job import Job
from transproc.cluster.node import DATA, SshNode, read
from transproc.cluster.place import Place
from transproc.lab import checkup
from transproc.lab.portable import portable_criu
from transproc.lab.rootfs import host_criu
from transproc.run import output

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

ROOTS = os.environ.get("TRANSPROC_TEST_ROOTS", "")
"""A directory with unpacked root file systems, such as Alpine's, which whoever tests them has brought."""


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The user's list of nodes and records."""
    monkeypatch.setenv("TRANSPROC_NODES", str(tmp_path / "mine.toml"))
    monkeypatch.setenv("TRANSPROC_STATE", str(tmp_path / "state"))
    yield
    common.host().close()


def goes_there_and_back(
    machines: NativeNodes, counter: Path, capfd: pytest.CaptureFixture[str], *more: str
) -> None:
    """A job between both nodes, as a user moves it; nothing of it is left."""
    for name, machine in machines.machines.items():
        words = ["127.0.0.1", "--port", str(machine.port), "--key", str(machines.directory / "user"), "--yes"]
        assert main.run(["nodes", "add", name, *words, *more]) == 0
        assert "and can be used" in capfd.readouterr().out
    words = ["600", "5000", "4"]
    assert main.run(["run", "--node", "na", "--name", "j", "--", str(counter), *words, "go"]) == 0
    assert [main.run(["migrate", "j", "--to", name]) for name in ("nb", "na")] == [0, 0]
    common.node("na").put_bytes(b"", f"{DATA}/jobs/j/data/work/go")
    capfd.readouterr()
    assert main.run(["wait", "j"]) == 0
    assert main.run(["logs", "j"]) == 0
    assert capfd.readouterr().out == output([f"{counter}.x86_64", *words])
    assert main.run(["kill", "--remove", "j"]) == 0
    for name in machines.machines:
        assert common.node(name).output(["ls", str(DATA / "jobs")]) == ""


def add_a_user_with_sudo(root: Path) -> None:
    """ann, in a system that lies there."""
    lines = {"passwd": "ann:x:1000:1000::/tmp:/bin/sh", "group": "ann:x:1000:", "shadow": "ann:*:20000::::::"}
    for name, line in lines.items():
        path = root / "etc" / name
        path.write_text(f"{path.read_text()}{line}\n")
    (root / "etc/sudoers.d/ann").write_text("ann ALL=(ALL) NOPASSWD: ALL\n")


def test_busybox(tmp_path: Path, counter: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No bash, no coreutils, no GNU tar, no systemd, no C library, and a criu that was brought."""
    setting = Setting(criu=[], root=busybox(tmp_path / "root"))
    with NativeNodes(tmp_path / "nodes", setting) as machines:
        goes_there_and_back(machines, counter, capfd, "--bring-criu")
        node = common.node("na")
        assert facts.ask(node).criu.startswith("4.")
        assert criu.command(node) == criu.COMMAND
        before = node.output(["ls", "-li", criu.BROUGHT])
        criu.bring(node, *portable_criu(node.isa))
        assert node.output(["ls", "-li", criu.BROUGHT]) == before, "it was brought again"


@pytest.mark.nightly
@pytest.mark.parametrize("user", ["root", "ann"])
@pytest.mark.parametrize("name", sorted(os.listdir(ROOTS)) if ROOTS else [])  # noqa: PTH208
def test_a_real_system(
    name: str, user: str, tmp_path: Path, counter: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As it was published, but for users; with its own criu, if it has one that is new enough."""
    root, published = tmp_path / "root", (Path(ROOTS) / name).resolve()
    if user != "root" and not os.path.lexists(published / "usr/bin/sudo"):
        pytest.skip("it has no sudo")
    subprocess.run(["cp", "-a", published, root], check=True)
    if user != "root":
        add_a_user_with_sudo(root)
    users = root / "etc/passwd"
    if "sshd:" not in users.read_text():  # who separates the privileges of this machine's sshd
        users.write_text(f"{users.read_text()}sshd:x:74:74::/run/sshd:/bin/false\n")
    login = ["--user", user, "--sudo"] if user != "root" else []
    with NativeNodes(tmp_path / "nodes", Setting(root=root, user=user, sudo=user != "root")) as machines:
        with read(machines.configuration)[0] as node:
            more = [] if facts.ask(node).criu else ["--bring-criu"]
        goes_there_and_back(machines, counter, capfd, *login, *more)


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="no mmdebstrap here")
@pytest.mark.parametrize(
    ("suite", "packages", "lacks", "more"),
    [("trixie", ",criu", [], ()), ("bookworm", "", ["criu", "criu check"], ("--bring-criu",))],
)
def test_debian(
    *,
    suite: str,
    packages: str,
    lacks: list[str],
    more: tuple[str, ...],
    tmp_path: Path,
    counter: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A system as its installer leaves it, with its own OpenSSH, and its own criu or the one that is brought."""
    words = ["--variant=minbase", f"--include=openssh-server{packages}", suite, str(tmp_path / "root")]
    subprocess.run(["mmdebstrap", *words], check=True)
    setting = Setting(root=tmp_path / "root")
    with NativeNodes(tmp_path / "nodes", setting) as machines:
        with read(machines.configuration)[0] as node:
            findings = {one.name: one for one in checkup.node(node)}
            assert [name for name, one in findings.items() if not one.ok] == lacks
            if lacks:
                assert "upgrade to 13" in findings["criu"].remedy
            assert bool(facts.ask(node).criu) == (not lacks)
        goes_there_and_back(machines, counter, capfd, *more)


@pytest.fixture(scope="module")
def with_systemd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian whose logind ends all that belongs to a session with it, root's too."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("no mmdebstrap here")
    root = tmp_path_factory.mktemp("system") / "root"
    packages = "systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,criu"
    subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={packages}", "trixie", root], check=True)
    add_a_user_with_sudo(root)
    sshd = "ExecStartPre=\nExecStart=\nExecStart=/usr/sbin/sshd -D -e -f /run/sshd_with_pam"
    for name, text in {
        "logind.conf.d/test.conf": "[Login]\nKillUserProcesses=yes\nKillExcludeUsers=\nUserStopDelaySec=0\n",
        "system/ssh.service.d/test.conf": f"[Service]\nType=simple\n{sshd}\n",
    }.items():
        path = root / "etc/systemd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    units = root / "etc/systemd/system"
    for unit in ("getty.target", "systemd-udevd.service", "systemd-udev-trigger.service", "ssh.socket"):
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    return root


@pytest.mark.nightly
@pytest.mark.parametrize("user", ["root", "ann"])
def test_systemd(
    user: str, with_systemd: Path, tmp_path: Path, counter: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A job outlives the sessions in which it was started and restored, though systemd ends all that is in a session."""
    setting = Setting(root=with_systemd, user=user, sudo=user != "root", systemd=True)
    with NativeNodes(tmp_path / "nodes", setting) as machines:
        login = ["--user", user, "--sudo"] if user != "root" else []
        goes_there_and_back(machines, counter, capfd, *login)


def offer(node: SshNode, directory: str, version: str, *, works: bool = True) -> None:
    """A criu there that is of this version, as it says, and whose check finds all that it needs or not."""
    lines = [
        "#!/bin/sh",
        f'[ "$1" != --version ] || {{ echo "Version: {version}"; exit; }}',
        "" if works else "exit 1",
        f'exec {shlex.join(host_criu())} "$@"',
    ]
    node.put_bytes("\n".join([*lines, ""]).encode(), f"{directory}/criu", mode=0o755)


def test_the_newest_that_works(tmp_path: Path) -> None:
    with NativeNodes(tmp_path, Setting(profile="PATH=/run/new:/run/old:/run/broken:$PATH")) as machines:
        with read(machines.configuration)[0] as node:
            assert isinstance(node, SshNode)
            offer(node, "/run/old", "3.17.1")
            assert criu.command(node) == ("/usr/local/sbin/criu",), "the one that is not too old"
        with read(machines.configuration)[0] as node:
            assert isinstance(node, SshNode)
            offer(node, "/run/new", "4.8")
            offer(node, "/run/broken", "4.9", works=False)
            found = [words for _, words in criu.candidates(node)]
            assert found == [("/run/broken/criu",), ("/run/new/criu",), ("/usr/local/sbin/criu",)]
            assert criu.command(node) == ("/run/new/criu",)
            assert Place(node, Job("j", "na", ["prog"])).check_criu() == (4, 8)

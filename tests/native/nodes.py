# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Native nodes: real OpenSSH servers and a real criu on this machine, each in namespaces of its own (processes, mounts, IPC, host
name), without emulation.

A migration between two of them takes milliseconds, so what needs no other ISA is tested and measured here. A node shares this
machine's files but for `/var/lib/transproc`, `/run`, `/dev/shm`, root's home and criu, and its network: the nodes are ports of
127.0.0.1. Needs root and openssh-server.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transproc.errors import LabError
from transproc.lab import keys
from transproc.lab.rootfs import host_criu

NAMES = ("na", "nb")
START_SECONDS = 20.0
_INIT = Path(__file__).with_name("init.sh")
_SYSTEMD = Path(__file__).with_name("systemd.sh")
_CONFIG = """\
ListenAddress {host}:{port}
HostKey {host_key}
AuthorizedKeysFile /run/keys
PidFile none
UsePAM no
StrictModes no
UseDNS no
PermitRootLogin prohibit-password
{exchange}
"""


@dataclass(frozen=True)
class Setting:
    """What the nodes are like. `profile`: what root's shell reads before each command, such as `sleep 0.3`; `criu`: a
    command line that runs it, empty for nodes that have none; `user`: who logs in, instead of root, and may use sudo or not.
    `root`: a system of their own, with its own criu or none, and its own sshd if it has one; `systemd`: that is its first
    process.
    `bridges`: of nodes, where jobs with addresses are (`network.py`). `places`: of nodes that are not on this machine's
    network, the namespace (`/run/netns`) and the address there.
    `exchange`: how keys are exchanged; empty: as OpenSSH does by itself (9.2: by sntrup761, 60 ms of a processor a connection).
    """

    profile: str = ""
    criu: Sequence[str] | None = None
    user: str = ""
    sudo: bool = False
    root: Path | None = None
    systemd: bool = False
    bridges: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    exchange: str = "curve25519-sha256"


@dataclass(frozen=True)
class Machine:
    """A node that runs: its server's port, and its first process as this machine sees it, `unshare` above that."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    host: str = "127.0.0.1"


class NativeNodes:
    """Two nodes, started and ended as a context manager; `directory` holds `nodes.toml`, which lists them, and what they need.

    They also end when this process does, however it dies, unless they are `detached`; then their processes are in `NAME/pid`.
    """

    def __init__(
        self, directory: Path, setting: Setting | None = None, *, port: int = 0, detached: bool = False
    ) -> None:
        self.directory = directory.resolve()
        self.configuration = self.directory / "nodes.toml"
        self.setting = setting or Setting()
        self.machines: dict[str, Machine] = {}
        self._port = port
        self._detached = detached

    def __enter__(self) -> NativeNodes:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Starts both and waits until they answer. Raises LabError if one does not."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        host, user = keys.ensure(self.directory / "host"), keys.ensure(self.directory / "user")
        (self.directory / "user.pub").write_text(user.public + "\n")
        tables = []
        for number, name in enumerate(NAMES):
            port = self._port + number if self._port else _free_port()
            self.machines[name] = self._start(name, port, host, user)
            tables.append(
                f'[{name}]\nhost = "{self.machines[name].host}"\nport = {port}\nkey = "{user.path}"\nhost_key = "{host.public}"\n'
                + self._login()
                + (f'bridge = "{self.setting.bridges[name]}"\n' if name in self.setting.bridges else "")
            )
        self.configuration.write_text("\n".join(tables))
        for machine in self.machines.values():
            _await(machine)

    def down(self) -> None:
        """Ends both; their processes and files are gone when it returns."""
        for machine in self.machines.values():
            machine.process.kill()  # takes the first process of the namespace along, and that all others
            machine.process.wait()
            if machine.process.stdin is not None:
                machine.process.stdin.close()
        if self.setting.systemd:
            for name in self.machines:
                _remove_group(self._group(name))
        self.machines = {}

    def _group(self, name: str) -> Path:
        """What a node's systemd sees as the root of all groups, made when it is missing."""
        group = hierarchy() / f"transproc-test-{os.getpid()}-{name}"
        group.mkdir(exist_ok=True)
        return group

    def _login(self) -> str:
        """What nodes.toml says about a user who is not root."""
        user = self.setting.user
        return f'user = "{user}"\n' + ("sudo = true\n" if self.setting.sudo else "") if user else ""

    def _start(self, name: str, port: int, host: keys.Key, user: keys.Key) -> Machine:
        state = self.directory / name
        home = state / "home"
        home.mkdir(parents=True, exist_ok=True)
        users = f"root:x:0:0:root:{home}:/bin/bash\n{_other_users()}"
        users += f"{self.setting.user}:x:54321:54321::/tmp:/bin/sh\n" if self.setting.user else ""
        (state / "passwd").write_text(users)
        (home / ".bashrc").write_text(self.setting.profile + "\n")
        network, address = self.setting.places.get(name, ("", "127.0.0.1"))
        exchange = f"KexAlgorithms {self.setting.exchange}" if self.setting.exchange else ""
        (state / "sshd_config").write_text(
            _CONFIG.format(host=address, port=port, host_key=host.path, exchange=exchange)
        )
        criu = host_criu() if self.setting.criu is None else self.setting.criu
        environment = {
            "PATH": os.environ["PATH"],
            "NAME": name,
            "STATE": str(state),
            "CRIU": shlex.join(criu),
        }
        environment |= {"SUDOER": self.setting.user} if self.setting.sudo else {}
        environment |= {"ROOT": str(self.setting.root)} if self.setting.root else {}
        environment |= {"GROUP": str(self._group(name))} if self.setting.systemd else {}
        environment |= {} if self._detached else {"LIFE": "stdin"}
        namespaces = ["--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--mount-proc"]
        enter = ["nsenter", f"--net=/run/netns/{network}"] if network else []
        with (state / "log").open("wb") as log:
            process = subprocess.Popen(
                [*enter, "unshare", *namespaces, "sh", _SYSTEMD if self.setting.systemd else _INIT],
                stdin=subprocess.DEVNULL if self._detached else subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        (state / "pid").write_text(f"{process.pid}\n")
        return Machine(name, port, process, address)


def hierarchy() -> Path:
    """Where cgroup v2 is mounted. Raises LabError if it is not, or if we may not make groups there."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(place)
    raise LabError("no writable hierarchy of cgroup v2 here")


def _remove_group(group: Path) -> None:
    """Its processes have just been killed: they leave within a moment."""
    until = time.monotonic() + START_SECONDS
    while "populated 1" in (group / "cgroup.events").read_text():
        if time.monotonic() > until:
            raise LabError(f"{group}: its processes do not end")
        time.sleep(0.02)
    for directory, _, _ in os.walk(group, topdown=False):
        os.rmdir(directory)  # noqa: PTH106


def end_detached(directory: Path) -> None:
    """Ends nodes that another process has started in this directory."""
    for name in NAMES:
        path = directory.resolve() / name / "pid"
        if not path.exists():
            continue
        process = Path("/proc") / path.read_text().strip()
        # a number that has come to another process since is left alone
        if process.exists() and str(_INIT).encode() in (process / "cmdline").read_bytes():
            os.kill(int(process.name), 9)
        path.unlink()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _other_users() -> str:
    lines = Path("/etc/passwd").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("root:"))


def _await(machine: Machine) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and machine.process.poll() is None:
        try:
            with socket.create_connection((machine.host, machine.port), 1.0) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.02)
    raise LabError(f"native node {machine.name}: its SSH server does not answer on port {machine.port}")

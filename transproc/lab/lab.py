# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Starts, watches and stops the lab's machines.

A lab is a directory: keys, one state file for each machine that was started, their consoles, and `nodes.toml`, through which
the machines are found as nodes (transproc.cluster.node). Machines outlive the command that started them.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from transproc import log, paths, run
from transproc.errors import LabError
from transproc.lab import cpio, keys, qemu, rootfs
from transproc.lab import profile as profiles
from transproc.lab.console import Console
from transproc.lab.machine import Machine, MachineLostError, free_port, ssh_answers, start_time, stop
from transproc.lab.patience import Patience
from transproc.lab.profile import Profile
from transproc.lab.qemu import GUESTS, Guest, Size

POLL_SECONDS = 0.05
PROFILE_SECONDS = 180.0
"""From machines that are up to all that their profile has, as `Lab.up` counts."""
KVM_SECONDS = 15.0
"""A machine under KVM is ready in two seconds; one that is not by now never will be."""


class Lab:
    """The machines whose state is in `directory` (by default the user's one lab)."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or paths.lab()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._profile: Profile | None = None
        self._suite = rootfs.SUITE
        self._ports: list[int] = []
        self._lan: list[int] = []

    def up(
        self,
        *,
        size: Size | None = None,
        kvm: bool | None = None,
        timeout: float = 120.0,
        profile: Profile | None = None,
        suite: str | None = None,
    ) -> list[Machine]:
        """Starts what does not run, all at once, and returns when every machine is a working node.

        `kvm`: None uses it if it works, True requires it for the machine of the host's ISA. `timeout`: seconds for
        each machine, beside those in which it waited for a processor of this host. `profile`: what they have beyond the
        usual; machines that run without it are an error. `suite`: the release of Debian that they are of, by default that
        of those which run, or the stable one.
        Raises LabError with the end of the console; machines that did start stay up.
        """
        size = size or (Size(memory_mb=profile.memory_mb) if profile else Size())
        self._suite = self._choose(suite)
        images = rootfs.images(profile, self._suite)
        with rootfs.lock(self.directory / "lock"):
            self._choose(self._suite)
            missing = [guest for guest in GUESTS if self._running(guest) is None]
            self._use(profile, missing)
            self._join(first=len(missing) == len(GUESTS))
            try:
                if missing:
                    self._boot_all(
                        missing, lambda guest: self._boot(guest, images[guest.isa], size, kvm, timeout)
                    )
            finally:
                self._write_nodes()
            if profile and missing:
                self._await_profile(profile)
        return self.status()

    def _choose(self, suite: str | None) -> str:
        """Machines of two releases do not mix."""
        others = [machine for machine in self.status() if machine.alive]
        if suite is not None and any(machine.suite != suite for machine in others):
            raise LabError(
                f"lab machines run that are of {others[0].suite}",
                hint=f"stop them first: transproc lab down; then transproc lab up --suite {suite}",
            )
        return suite or (others[0].suite if others else rootfs.SUITE)

    def _use(self, profile: Profile | None, missing: list[Guest]) -> None:
        """Machines with a profile belong together: all are started at once."""
        self._profile = profile
        self._ports = []
        if profile is None:
            return
        others = [
            machine.name for machine in self.status() if machine.alive and machine.profile != profile.name
        ]
        if others or 0 < len(missing) < len(GUESTS):
            raise LabError(
                f"lab machines run that were not started with {profile.name}, or not all of them",
                hint=f"stop them first: transproc lab down; then transproc lab up --with {profile.name}",
            )
        if missing:
            profile.prepare(self.directory)
            self._ports = [free_port() for _ in GUESTS]

    def _join(self, *, first: bool) -> None:
        """The network of the machines, by which a machine that is started anew finds the others again."""
        path = self.directory / "lan.json"
        if first or not path.exists():
            path.write_text(json.dumps([free_port(socket.SOCK_DGRAM) for _ in GUESTS]))
        self._lan = json.loads(path.read_text())

    def _await_profile(self, profile: Profile) -> None:
        with log.step(profile.name):
            patience = Patience([machine.pid for machine in self.status()], PROFILE_SECONDS)
            while (done := self.command(GUESTS[0].node, profile.check)).returncode:
                if patience.left < 0:
                    said = (done.stdout + done.stderr).decode(errors="replace").strip()
                    raise LabError(f"{profile.name} is not up within {PROFILE_SECONDS:.0f} s: {said}")
                time.sleep(1.0)

    def _boot_all(self, guests: list[Guest], boot: Callable[[Guest], Machine]) -> None:
        names = " and ".join(guest.node for guest in guests)
        with log.step(f"start {names}") as step, ThreadPoolExecutor(len(guests)) as pool:
            started = list(pool.map(boot, guests))
            step.detail = ", ".join(f"{machine.name} {machine.seconds:.1f} s" for machine in started)

    def down(self) -> list[str]:
        """Stops all machines and says which were running. Their disks are in memory: what was on them is gone."""
        with rootfs.lock(self.directory / "lock"):
            stopped = [machine.name for machine in map(self._running, GUESTS) if machine and stop(machine)]
            for guest in GUESTS:
                self._state(guest).unlink(missing_ok=True)
            self._write_nodes()
        return stopped

    def status(self) -> list[Machine]:
        """All machines that were started and not stopped, also those lost since (`alive` is false)."""
        return [machine for machine in map(self._read, GUESTS) if machine]

    def machine(self, name: str) -> Machine:
        """A running machine by its node name; raises LabError, MachineLostError if it ended by itself."""
        machine = next((machine for machine in self.status() if machine.name == name), None)
        if machine is None:
            raise LabError(f"lab machine {name} is not running", hint="start it: transproc lab up")
        if not machine.alive:
            message = f"lab machine {name} was lost{self.console(name).tail()}"
            raise MachineLostError(message, hint="start it again: transproc lab up")
        return machine

    def shell(self, name: str, *command: str) -> int:
        """A shell, or one command, on a machine and on our terminal; returns its exit status."""
        return run.replace(self._ssh(name, *command))

    def command(self, name: str, *command: str) -> subprocess.CompletedProcess[bytes]:
        """Runs one command on a machine; its status is what it says."""
        return run.run(self._ssh(name, *command), check=False)

    def _ssh(self, name: str, *command: str) -> list[str]:
        machine = self.machine(name)
        known = self.directory / f"known_hosts.{name}"
        options = [
            *("-i", self._user_key().path),
            *("-o", f"UserKnownHostsFile={known}"),
            *("-o", "StrictHostKeyChecking=yes"),
            *("-o", "IdentitiesOnly=yes"),
            *("-o", "LogLevel=ERROR"),
        ]
        known.write_text(f"[127.0.0.1]:{machine.port} {self._host_key(name).public}\n")
        return ["ssh", *map(str, options), "-p", str(machine.port), "root@127.0.0.1", *command]

    def console(self, name: str) -> Console:
        """What a machine has said since it was started."""
        return Console(self.directory, name)

    # --- one machine -----------------------------------------------------------------------------------------

    def _boot(
        self, guest: Guest, image: rootfs.Image, size: Size, kvm: bool | None, timeout: float
    ) -> Machine:
        """Boots with KVM where that may work: the only probe that proves anything. Falls back to emulation."""
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text()
        failed = paths.home() / "lab" / "kvm-failed"
        if kvm is not False and qemu.kvm_possible(guest):
            if kvm:
                return self._start(guest, image, size, True, timeout)
            if not failed.exists() or not failed.read_text().startswith(boot_id):
                try:
                    return self._start(guest, image, size, True, min(timeout, KVM_SECONDS))
                except LabError as error:
                    failed.write_text(f"{boot_id}{error}\n")
        return self._start(guest, image, size, False, timeout)

    def _start(self, guest: Guest, image: rootfs.Image, size: Size, kvm: bool, timeout: float) -> Machine:
        initrd = self.directory / f"{guest.node}.cpio"
        with initrd.open("wb") as sink:
            sink.write(image.initrd.read_bytes())
            cpio.write_files(sink, self._own_files(guest))
        console = self.console(guest.node)
        console.path.unlink(missing_ok=True)
        port = free_port()
        begin = time.monotonic()
        argv = qemu.command(
            guest,
            kernel=image.kernel,
            initrd=initrd,
            console=console.path,
            ssh_port=port,
            size=size,
            kvm=kvm,
            lan=() if self._profile else self._lan,
            more=self._more(guest, size),
        )
        pid = run.daemon(argv, log=console.emulator)
        name = self._profile.name if self._profile else ""
        machine = Machine(
            *(guest.node, guest.isa, pid, start_time(pid), port, kvm, size.memory_mb),
            profile=name,
            suite=self._suite,
        )
        try:
            self._await_ready(machine, timeout)
        except BaseException:
            stop(machine)
            raise
        machine = Machine(**{**asdict(machine), "seconds": time.monotonic() - begin})
        self._state(guest).write_text(json.dumps(asdict(machine)))
        return machine

    def _more(self, guest: Guest, size: Size) -> list[str]:
        if self._profile is None:
            return []
        tree = rootfs.tree(guest, self._profile, self._suite)
        return profiles.arguments(guest, self.directory, tree, self._ports, size.memory_mb)

    def _await_ready(self, machine: Machine, timeout: float) -> None:
        """Until the console says so and the SSH server answers."""
        patience = Patience([machine.pid], timeout)
        console = self.console(machine.name)
        while (status := console.ready) is None:
            if not machine.alive or console.is_broken:
                raise self._error(machine, "ended while it was starting")
            if patience.left < 0:
                beside = f", and waited {patience.waited:.0f} s for a processor"
                raise self._error(
                    machine, f"was not ready in {timeout:.0f} s{beside if patience.waited >= 1 else ''}"
                )
            time.sleep(POLL_SECONDS)
        if status != 0:
            raise self._error(machine, f"cannot dump and restore processes (criu: status {status})")
        if not ssh_answers(machine.port, max(1.0, patience.left)):
            raise self._error(machine, "has no SSH server that answers")

    def _error(self, machine: Machine, what: str) -> LabError:
        return LabError(f"lab machine {machine.name} {what}{self.console(machine.name).tail()}")

    # --- files -----------------------------------------------------------------------------------------------

    def _state(self, guest: Guest) -> Path:
        return self.directory / f"{guest.node}.json"

    def _read(self, guest: Guest) -> Machine | None:
        path = self._state(guest)
        return Machine(**json.loads(path.read_text())) if path.exists() else None

    def _running(self, guest: Guest) -> Machine | None:
        machine = self._read(guest)
        return machine if machine and machine.alive else None

    def _user_key(self) -> keys.Key:
        return keys.ensure(self.directory / "keys" / "user")

    def _host_key(self, name: str) -> keys.Key:
        return keys.ensure(self.directory / "keys" / name)

    def _own_files(self, guest: Guest) -> dict[str, tuple[int, bytes]]:
        """What makes a machine itself: name and keys, and what its profile gives it."""
        more = self._profile.files(guest, self.directory) if self._profile else {}
        return {
            **more,
            "etc/hostname": (0o644, f"{guest.node}\n".encode()),
            "etc/dropbear/dropbear_ed25519_host_key": (0o600, self._host_key(guest.node).dropbear()),
            "root/.ssh/authorized_keys": (0o600, f"{self._user_key().public}\n".encode()),
        }

    def _write_nodes(self) -> None:
        """The running machines, in the format of the user's own nodes.toml."""
        text = "".join(
            f'[{machine.name}]\nhost = "127.0.0.1"\nport = {machine.port}\nuser = "root"\n'
            f'key = "{self._user_key().path}"\nhost_key = "{self._host_key(machine.name).public}"\n'
            + (f'internal = "{qemu.internal(machine.name)}"\n' if not machine.profile else "")
            + "\n"
            for machine in self.status()
        )
        new = self.directory / "nodes.toml.new"
        new.write_text(text)
        new.replace(self.directory / "nodes.toml")

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the lab's machines may have beyond the usual: a profile, chosen by `transproc lab up --with NAME`.

The machines boot the same small image, with some kernel modules more. What a profile needs of Debian is not in it: the unpacked
packages stay on the host, where virtiofsd serves them, and each machine lays them under its own `/usr`. Two more directories of
the host are the same for all machines: `app`, of programs, and `shared`, of files that change. A second network card joins the
machines with each other, and with nothing else.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transproc import run
from transproc.errors import LabError
from transproc.lab.qemu import GUESTS, Guest

Files = Mapping[str, tuple[int, bytes]]
"""Name → (permissions, contents)."""
NETWORK = "10.7.0"
VIRTIOFSD = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")
"""QEMU's own of Debian 12, that of package virtiofsd in Debian 13."""
_SOCKET_SECONDS = 5.0


@dataclass(frozen=True)
class Profile:
    """`packages` of Debian and kernel `modules` beyond the usual.

    `prepare`: fills the directories that all machines share, in the lab's; `files`: of a machine's own, given that one;
    `check`: a command that succeeds on the first machine when all is up.
    """

    name: str
    packages: Sequence[str]
    modules: Sequence[str]
    memory_mb: int
    prepare: Callable[[Path], None]
    files: Callable[[Guest, Path], Files]
    check: str


def address(guest: Guest) -> str:
    """In the network of the machines."""
    return f"{NETWORK}.{GUESTS.index(guest) + 1}"


def arguments(guest: Guest, directory: Path, tree: Path, ports: Sequence[int], memory_mb: int) -> list[str]:
    """Of the emulator; starts what serves the directories, and ends when the emulator does. Raises LabError."""
    words = ["-object", f"memory-backend-memfd,id=memory,size={memory_mb}M,share=on"]
    words += ["-machine", "memory-backend=memory"]
    served = (
        ("tree", tree, "always"),
        ("app", directory / "app", "always"),
        ("shared", directory / "shared", "auto"),
    )
    for tag, path, cache in served:
        socket = _serve(directory / f"{guest.node}.{tag}", path, cache)
        words += ["-chardev", f"socket,id={tag},path={socket}"]
        words += ["-device", f"vhost-user-fs-pci,chardev={tag},tag={tag},romfile="]
    own = GUESTS.index(guest)
    if len(ports) != 2:
        raise LabError(f"the network of a profile joins two machines, not {len(ports)}")
    words += ["-netdev", f"socket,id=lan,udp=127.0.0.1:{ports[1 - own]},localaddr=127.0.0.1:{ports[own]}"]
    return [*words, "-device", f"virtio-net-pci,netdev=lan,romfile=,mac=52:54:00:07:00:0{own + 1}"]


def _serve(base: Path, path: Path, cache: str) -> Path:
    program = next((name for name in VIRTIOFSD if shutil.which(name)), None)
    if program is None:
        raise LabError(
            "there is no virtiofsd, which shares a directory with the machines",
            hint="Debian 12 has it in qemu-system-common, Debian 13 in virtiofsd",
        )
    socket = base.with_name(f"{base.name}.socket")
    socket.unlink(missing_ok=True)
    words = [program, f"--socket-path={socket}"]
    words += ["-o", f"source={path}", "-o", f"cache={cache}", "-o", "sandbox=chroot", "-o", "no_posix_lock"]
    run.daemon(words, log=base.with_name(f"{base.name}.log"))
    until = time.monotonic() + _SOCKET_SECONDS
    while not socket.exists():
        if time.monotonic() > until:
            raise LabError(
                f"virtiofsd has not begun: {base.with_name(f'{base.name}.log').read_text().strip()}"
            )
        time.sleep(0.02)
    return socket

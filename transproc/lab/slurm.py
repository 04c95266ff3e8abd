# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lab with Slurm: Debian's slurmctld and slurmd on x86, slurmd on arm, partitions `x86` and `arm`, and a shared directory.

Users `root` and `user` may submit jobs. In `/app` is this transproc, with the Python packages that it needs for each ISA, as
wheels; in `/shared` are `state`, its checkpoints, and `home`, where users work. All comes from Debian and from the package index.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import secrets
import shutil
import sys
from pathlib import Path

from transproc import log, paths, run
from transproc.errors import CommandError, LabError
from transproc.lab.profile import Files, Profile, address
from transproc.lab.qemu import GUESTS, Guest
from transproc.lab.rootfs import FILES, HERE, tree
from transproc.process.build import build

USER_ID = 1000
CONTROLLER = "x86"
PYTHON = "3.13"
"""Of the machines' Debian."""
NEEDED = ("protobuf", "pyelftools", "rich", "tomlkit", "typer")
"""Of what transproc depends on: what commands on a compute node import, beside numpy."""
NUMPY = "numpy>=2.3,<2.4"
"""The last one whose wheels do without cmpxchg16b, which the emulated x86_64 machine lacks (qemu.py)."""
_GLIBC = (28, 27, 17)
"""Of which wheels are taken, as tags of manylinux."""
_CONFIGURATION = """\
ClusterName=lab
SlurmctldHost={controller}({address})
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=/var/lib/slurmctld
SlurmdSpoolDir=/var/lib/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurmctld.log
SlurmdLogFile=/var/log/slurmd.log
ProctrackType=proctrack/cgroup
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
ReturnToService=2
SlurmdTimeout=300
MessageTimeout=60
BatchStartTimeout=60
KillWait=120
MailProg=/bin/true
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
"""
_SUDOERS = "root ALL=(ALL) ALL\nALL ALL=(root) NOPASSWD: /usr/local/bin/transproc slurm helper\n"
_PAM = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
_TRANSPROC = """\
#!/bin/sh
exec python3 -c 'import sys; sys.path[:0] = ["/app", "/app/{isa}"]; sys.argv[0] = "transproc"
from transproc.cli.main import main; main()' "$@"
"""


def _prepare(directory: Path) -> None:
    """What all machines share is made anew, but for what users have there."""
    app, shared = directory / "app", directory / "shared"
    for name, mode in (("state", 0o711), ("home", 0o1777)):
        (shared / name).mkdir(parents=True, exist_ok=True)
        (shared / name).chmod(mode)
    shared.chmod(0o755)
    key = directory / "munge.key"
    if not key.exists():
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
    with log.step("transproc for the machines"):
        shutil.rmtree(app, ignore_errors=True)
        here = Path(__file__).resolve().parents[1]
        shutil.copytree(here, app / "transproc", ignore=shutil.ignore_patterns("__pycache__", "source"))
        # as in a wheel: what is compiled on first use, and is compiled here already
        shutil.copytree(paths.SOURCE / "runtime", app / "transproc" / "source" / "runtime")
        (app / "cache" / "tool").mkdir(parents=True)
        for guest in GUESTS:
            tool = build(guest.isa)
            shutil.copy2(tool, app / "cache" / "tool" / tool.name)
            shutil.copytree(_packages(guest), app / guest.isa)
        _compile(app / "transproc")
        for guest in GUESTS:
            _compile(tree(guest, SLURM) / "usr" / "lib" / f"python{PYTHON}", once=True)


def _packages(guest: Guest) -> Path:
    """Python packages for a machine, as wheels have them; kept."""
    known = importlib.metadata.requires("transproc") or []
    pins = [NUMPY, *(line for line in known if re.split(r"[=; ]", line)[0] in NEEDED)]
    place = paths.home() / "downloads" / f"python-{guest.isa}-{paths.digest([], PYTHON, *pins)}"
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        draft = place.with_name(f"{place.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        tags = [f"manylinux_2_{minor}_{guest.isa}" for minor in _GLIBC] + [f"manylinux2014_{guest.isa}"]
        words = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--disable-pip-version-check",
        ]
        words += ["--target", str(draft), "--only-binary=:all:", "--implementation=cp"]
        words += [f"--python-version={PYTHON}", *(f"--platform={tag}" for tag in tags)]
        try:
            run.run([*words, *pins], timeout=900)
        except CommandError as error:
            raise LabError(f"Python packages for {guest.isa} could not be had: {error}") from error
        _compile(draft)
        draft.rename(place)
    return place


def _compile(directory: Path, *, once: bool = False) -> None:
    """Compiles Python code by the machines' own Python, if this machine can execute it: there it takes minutes."""
    guest = next((guest for guest in GUESTS if guest.isa == platform.machine()), None)
    done = directory / "__pycache__" / "compiled"
    if guest is None or (once and done.exists()):
        return
    unpacked = tree(guest, SLURM)
    libraries = next((unpacked / "usr/lib").glob("*/libc.so.6")).parent
    start = [unpacked / guest.loader, "--library-path", libraries, unpacked / f"usr/bin/python{PYTHON}"]
    words = ["-s", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", str(directory)]
    environment = {"PYTHONHOME": str(unpacked / "usr"), "PATH": os.environ["PATH"]}
    run.run([*map(str, start), *words], env=environment, check=False, timeout=600)
    done.parent.mkdir(exist_ok=True)
    done.touch()


def _files(guest: Guest, directory: Path) -> Files:
    hosts = "127.0.0.1 localhost\n" + "".join(f"{address(each)} {each.node}\n" for each in GUESTS)
    text = _CONFIGURATION.format(controller=CONTROLLER, address=address(GUESTS[0]))
    for each in GUESTS:
        text += f"NodeName={each.node} NodeAddr={address(each)} CPUs=2 RealMemory=512\n"
        default = " Default=YES" if each.node == CONTROLLER else ""
        text += f"PartitionName={each.node} Nodes={each.node}{default} PriorityTier=1 State=UP\n"
        text += (
            f"PartitionName=urgent-{each.node} Nodes={each.node} PriorityTier=10 PreemptMode=OFF State=UP\n"
        )
    users = f"root:x:0:0:root:/root:/bin/sh\nuser:x:{USER_ID}:{USER_ID}:user:/shared/home:/bin/sh\n"
    users += "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
    texts = {
        "etc/hosts": hosts,
        "etc/passwd": users,
        "etc/group": f"root:x:0:\nuser:x:{USER_ID}:\nnogroup:x:65534:\n",
        "etc/slurm/slurm.conf": text,
        "etc/slurm/cgroup.conf": "CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\nEnableControllers=yes\n",
        "etc/transproc/slurm.toml": 'state = "/shared/state"\nhome = "/app/cache"\n',
        "etc/pam.d/sudo": _PAM,
        "etc/pam.d/other": _PAM,
        "etc/address": address(guest) + "\n",
    }
    found = {name: (0o644, text.encode()) for name, text in texts.items()}
    found["etc/sudoers"] = (0o440, _SUDOERS.encode())
    found["etc/shadow"] = (0o600, b"root:*:20000::::::\nuser:*:20000::::::\n")
    found["etc/munge/munge.key"] = (0o400, (directory / "munge.key").read_bytes())
    found["usr/local/bin/transproc"] = (0o755, _TRANSPROC.format(isa=guest.isa).encode())
    found["etc/slurm.sh"] = (0o755, (HERE / "guest" / "slurm" / "up.sh").read_bytes())
    found["etc/inittab"] = (0o644, f"{FILES['etc/inittab']}::once:/etc/slurm.sh\n".encode())
    return found


SLURM = Profile(
    name="slurm",
    packages=("slurmctld", "slurmd", "slurm-client", "munge", "python3", "sudo"),
    modules=("overlay",),
    memory_mb=1536,
    prepare=_prepare,
    files=_files,
    check='[ "$(sinfo -h -o %T)" = "idle" ]',
)

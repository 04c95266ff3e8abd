# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A cluster of Slurm on this machine: Debian's slurmctld, munged and four slurmd, in namespaces of their own.

Its partitions are `x86` and `arm`, of one node each, both of this ISA: what needs no other one is tested here, in seconds. In
`brief`, of the same node as `arm`, jobs have ten minutes.
Jobs of `urgent` preempt those of `cheap`, at once, and of `graced`, which get a time for it; the nodes of `old` and `weak` may be
drained, and die. With accounts there are slurmdbd and MariaDB too: who may use which partition is enforced, and jobs are
preempted by quality of service. A file `hold-JOBID` in its directory stops criu when it is to dump that job (`dumping-JOBID` says
so), one `epilog-JOBID` has Slurm's epilog clean up after it. Needs root, Debian's slurmctld, slurmd, munge, slurm-client, and
sudo; accounts need slurmdbd and mariadb-server.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.slurm import accounts
from transproc.errors import LabError
from transproc.lab.rootfs import host_criu

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "sudo")
USER, UID = "slurmuser", 54322
CPUS = 64
START_SECONDS = 20.0
KILL_WAIT = 8
"""Seconds from SIGTERM to SIGKILL; Slurm's default is 30."""
_INIT = Path(__file__).with_name("init.sh")
_CONFIGURATION = """\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/%n
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd-%n.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd-%n.log
ProctrackType=proctrack/cgroup
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=10000,sched_interval=1,bf_interval=1
ReturnToService=2
KillWait={wait}
MailProg=/bin/true
PreemptMode=REQUEUE
{preempts}
PartitionName=x86 Nodes=x1 Default=YES PriorityTier=1 State=UP
PartitionName=arm Nodes=a1 PriorityTier=1 State=UP
PartitionName=brief Nodes=a1 PriorityTier=1 MaxTime=10 State=UP
PartitionName=cheap Nodes=p1 PriorityTier=1 State=UP
PartitionName=graced Nodes=g1 PriorityTier=1 GraceTime=30 State=UP
PartitionName=urgent Nodes=p1,g1 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=old Nodes=d1 PriorityTier=1 State=UP
PartitionName=weak Nodes=w1 PriorityTier=1 State=UP
Epilog={state}/epilog
"""
_BY_PARTITION = "PreemptType=preempt/partition_prio"
_EPILOG = """\
#!/bin/sh
[ -e {state}/epilog-$SLURM_JOB_ID ] || exit 0
export TRANSPROC_SLURM={settings} PATH="$PATH:/usr/bin:/bin:/usr/sbin:/sbin"
exec {command} slurm clean >{state}/epilog.log 2>&1
"""
_CRIU = """\
#!/bin/sh
for held in {state}/hold-*; do
    number=${{held##*-}}
    case "$*" in *dump*/slurm-"$number"-*|*/slurm-"$number"-*dump*)
        echo >{state}/dumping-"$number"
        while [ -e "$held" ]; do sleep 0.05; done ;;
    esac
done
exec {criu} "$@"
"""
_NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus}\n"
NODES = ("x1", "a1", "p1", "d1", "g1", "w1")


_NEEDED = (Path(sys.executable), Path(sys.base_prefix), _INIT)
"""What its user must get at."""


def _closed(path: Path) -> list[Path]:
    """The outermost directory on the way to a file that only root may enter, if there is one."""
    return [parent for parent in reversed(path.resolve().parents) if not parent.stat().st_mode & 0o001][:1]


def missing(programs: Sequence[str] = PROGRAMS) -> list[str]:
    """Programs that it needs and that are not there."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    return [name for name in programs if shutil.which(name, path=path) is None]


class Cluster:
    """Started and ended as a context manager; `directory` holds all that it needs, and jobs' files."""

    def __init__(self, directory: Path, *, has_accounts: bool = False) -> None:
        self.directory = directory.resolve()
        self.has_accounts = has_accounts
        self.state = self.directory / "state"
        self.jobs = self.directory / "jobs"
        """Working directory of all that is asked: anybody may write there."""
        self.command = Path(sys.executable).with_name("transproc")
        self.settings = self.directory / "slurm.toml"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Cluster:
        try:
            self._up()
        except BaseException:
            self._down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._down()

    def _up(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for path in (self.directory, self.state):
            path.mkdir(exist_ok=True)
            path.chmod(0o711)
        for name in ("controller", *NODES):
            (self.directory / name).mkdir(exist_ok=True)
        self.jobs.mkdir(exist_ok=True)
        self.jobs.chmod(0o1777)
        key = self.directory / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        home = Path(os.environ.get("TRANSPROC_HOME") or Path.home() / ".cache" / "transproc")
        self._script("criu", _CRIU.format(state=self.directory, criu=shlex.join(host_criu())))
        self._script(
            "epilog",
            _EPILOG.format(state=self.directory, settings=self.settings, command=self.command),
        )
        self.settings.write_text(
            f'state = "{self.state}"\nhome = "{home}"\ncriu = ["{self.directory}/criu"]\n'
        )
        self._configure()
        (self.directory / "cgroup.conf").write_text("ConstrainCores=no\n")
        environment = {
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "STATE": str(self.directory),
            "LOGIN": f"{USER}:x:{UID}:{UID}::/tmp:/bin/sh",
            "NODES": " ".join(NODES),
            "CLOSED": " ".join(sorted({str(closed) for path in _NEEDED for closed in _closed(path)})),
            "COMMAND": f"{self.command} slurm helper",
            "ACCOUNTS": self._name if self.has_accounts else "",
        }
        namespaces = ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", *namespaces, "sh", _INIT],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self.until(
            lambda: self.ask("sinfo", "-h", "-o", "%N|%T").strip() == ",".join(sorted(NODES)) + "|idle",
            "its nodes are idle",
            accounts.START_SECONDS if self.has_accounts else START_SECONDS,
        )

    @property
    def _name(self) -> str:
        return f"native{os.getpid()}"

    def _configure(self) -> None:
        host = socket.gethostname()
        controller, database, *ports = _free_ports(2 + len(NODES))
        preempts = accounts.configure(self.directory, host, database) if self.has_accounts else _BY_PARTITION
        text = _CONFIGURATION.format(
            name=self._name,
            host=host,
            port=controller,
            state=self.directory,
            wait=KILL_WAIT,
            preempts=preempts,
        )
        for name, port in zip(NODES, ports, strict=True):
            text += _NODE.format(name=name, host=host, port=port, cpus=CPUS)
        (self.directory / "slurm.conf").write_text(text)

    def of(self, partition: str) -> tuple[str, ...]:
        """Options of a job of `urgent` or `graced`: with accounts a quality of that name has the right, not the partition."""
        return ("-p", partition, *(("--qos", partition) if self.has_accounts else ()))

    @property
    def version(self) -> tuple[int, ...]:
        """Slurm's: year and month."""
        return tuple(map(int, re.findall(r"\d+", self.ask("scontrol", "--version"))[:2]))

    def preempt(self, node: str) -> None:
        """Submits a job that preempts whatever is on a node of `urgent`."""
        self.ask(
            "sbatch",
            *self.of("urgent"),
            "-w",
            node,
            "--exclusive",
            "-o",
            "/dev/null",
            "--wrap",
            "sleep 1",
        )

    def _script(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)

    def _down(self) -> None:
        """Its processes are gone when it returns, and what Slurm has made in the control groups."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None
        for path in Path("/sys/fs/cgroup").glob("*/slurm_[xapdgw]1"):
            for inner in [*sorted(path.rglob("*"), reverse=True), path]:
                if inner.is_dir():
                    self._remove(inner)

    def _remove(self, group: Path) -> None:
        """The kernel takes a moment to be done with processes that have ended."""
        for _ in range(50):
            with contextlib.suppress(OSError):
                group.rmdir()
                return
            time.sleep(0.1)

    def update(self, job: str, *fields: str) -> None:
        """As `insist`."""
        self.insist("scontrol", "update", f"JobId={job}", *fields)

    def insist(self, *argv: str) -> None:
        """As a person does, who asks again: Slurm 24.11 without accounting refuses now and then, with an error that is none."""
        for _ in range(10):
            with contextlib.suppress(AssertionError):
                self.ask(*argv)
                return
            time.sleep(0.5)
        self.ask(*argv)

    def ask(self, *argv: str, user: bool = False, check: bool = True) -> str:
        """What a command of Slurm's prints, in the cluster's namespaces."""
        assert self._process is not None
        pid = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not pid:
            if self._process.poll() is not None:
                raise LabError(f"the cluster has ended: {(self.directory / 'log').read_text()}")
            return ""
        who = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"] if user else []
        environment = {
            "PATH": f"{self.command.parent}:{os.environ['PATH']}",
            "SLURM_CONF": str(self.directory / "slurm.conf"),
        }
        environment |= {"TRANSPROC_SLURM": str(self.settings)}
        done = subprocess.run(
            [
                "nsenter",
                "--target",
                pid[0],
                "--mount",
                "--pid",
                *who,
                "sh",
                "-c",
                'cd "$0" && exec "$@"',
                self.jobs,
                *argv,
            ],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if check and done.returncode and self.started:
            raise AssertionError(f"{argv}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def lose(self, node: str) -> None:
        """Kills a node's slurmd and all that runs there, at once."""
        self.ask("pkill", "-KILL", "-f", f"^slurmd -N {node}$")
        self.ask("pkill", "-KILL", "-f", f"^slurmstepd: .*{node}", check=False)
        for path in Path("/sys/fs/cgroup").glob(f"*/slurm_{node}/**/cgroup.procs"):
            for pid in path.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)

    started = False

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
        """Waits for something; raises LabError."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise LabError(f"Slurm: not within {seconds:g} s: {what}")
            time.sleep(0.1)
        self.started = True


def _free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    return ports

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job of Slurm moves from a partition of one ISA to one of the other, and back: `transproc example slurm` runs this.

Usage: drive.py SOURCE. SOURCE holds bzip2, compiled; the lab is up, with Slurm. An ordinary user submits `job.sh`, which
compresses a text. The job is moved to partition `arm` by `transproc slurm migrate`; there a job of a more urgent partition
preempts it, and it goes on in partition `x86`. What it prints and writes must be what it does undisturbed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from transproc import paths

EXAMPLE = Path(__file__).parent
HOME = paths.lab() / "shared" / "home"
"""On the machines it is /shared/home: the user's home."""
MEGABYTES = int(os.environ.get("MEGABYTES", "48"))
"""Some two minutes of bzip2 on an emulated machine."""
INSIST = 'insist() { for n in 1 2 3 4 5; do "$@" && return; sleep 1; done; exit 1; }; insist'
"""Slurm 24.11 without accounting refuses the change of a partition now and then, with an error that is none."""
CALM_SECONDS = 8.0
PATIENCE = 1800.0
"""For each step: a machine that emulates two and is busy with other things is slow."""


def ask(command: str, *, root: bool = False) -> str:
    """Standard output of a command of the user's, or of root's, on the machine of the controller."""
    words = ["transproc", "lab", "shell", "x86"]
    line = command if root else f"exec su user -c 'cd /shared/home && {command}'"
    done = subprocess.run([*words, line], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def about(job: str) -> tuple[str, str]:
    """A job's state, and the node that it is on."""
    text = ask(f"scontrol show job {job}", root=True)
    state, node = re.search(r"JobState=(\S+)", text), re.search(r"(?m)^ +NodeList=(\S+)", text)
    return (state[1] if state else "?", node[1] if node else "")


def until(job: str, *wanted: str, on: str | None = None) -> None:
    """Waits for a state of the job."""
    end = time.monotonic() + PATIENCE
    while True:
        state, node = about(job)
        if state in wanted and on in (None, node):
            print(f"{time.strftime('%T')} job {job}: {state} {node}", flush=True)
            return
        if state in ("FAILED", "CANCELLED", "TIMEOUT", "COMPLETED") or time.monotonic() > end:
            sys.exit(f"job {job}: is {state} on {node}, expected {' or '.join(wanted)}: {output(job)}")
        time.sleep(2.0)


def begun(job: str, node: str) -> None:
    """Waits until the program runs on that machine, and a little longer."""
    words = ["transproc", "lab", "shell", node, f"pgrep -f ^/var/lib/transproc/jobs/slurm-{job}-"]
    end = time.monotonic() + PATIENCE
    while subprocess.run(words, capture_output=True, check=False).returncode:
        if time.monotonic() > end:
            sys.exit(f"job {job}: its program does not run on {node}: {output(job)}")
        time.sleep(2.0)
    time.sleep(CALM_SECONDS)


def output(job: str) -> str:
    """What Slurm has written for it, without its own lines."""
    path = HOME / "work" / f"slurm-{job}.out"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return "".join(line for line in lines if not line.startswith("slurmstepd"))


def main() -> None:
    """Prepares, submits, moves twice, compares."""
    source = Path(sys.argv[1])
    work = HOME / "work"
    shutil.rmtree(work, ignore_errors=True)
    (work / "input").mkdir(parents=True)
    for isa in ("x86_64", "aarch64"):
        shutil.copy2(source / f"bzip2.{isa}", work)
    shutil.copy2(source / "bzip2", work)
    shutil.copy2(EXAMPLE / "job.sh", work)
    text = b"".join(
        path.read_bytes() for path in sorted(source.glob("*.[ch]")) + sorted(source.glob("manual.*"))
    )
    (work / "input" / "text").write_bytes((text * (1 + (MEGABYTES << 20) // len(text)))[: MEGABYTES << 20])
    for path in [work, *work.rglob("*")]:
        os.chown(path, 1000, 1000)
    expected = Path("expected")
    expected.mkdir()
    shutil.copy2(work / "input" / "text", expected)
    undisturbed = subprocess.run(
        [source / "bzip2.x86_64", "-9", "-k", "-v", "text"], capture_output=True, check=True, cwd=expected
    )

    job = ask("cd work && sbatch --parsable job.sh")
    until(job, "RUNNING", on="x86")
    begun(job, "x86")
    print(f"{time.strftime('%T')} transproc slurm migrate {job} --partition arm", flush=True)
    ask(f"transproc --quiet slurm migrate {job} --partition arm --timeout {PATIENCE:.0f}")
    until(job, "RUNNING", on="arm")
    begun(job, "arm")
    ask("sbatch --partition=urgent-arm --exclusive --output=/dev/null --wrap=true", root=True)
    until(job, "PENDING")
    # Slurm would let it wait for two minutes
    ask(f"{INSIST} scontrol update JobId={job} Partition=x86 StartTime=now", root=True)
    until(job, "RUNNING", on="x86")
    until(job, "COMPLETED")

    wrong = []
    if (work / "output" / "text.bz2").read_bytes() != (expected / "text.bz2").read_bytes():
        wrong.append("text.bz2 differs")
    if output(job) != (undisturbed.stdout + undisturbed.stderr).decode():
        wrong.append(f"printed {output(job)!r}")
    if left := sorted(path.name for path in (paths.lab() / "shared" / "state").glob(f"*/{job}")):
        wrong.append(f"left {left}")
    print(
        "FAILED: " + ", ".join(wrong)
        if wrong
        else f"equal: x86, arm, x86; {MEGABYTES} MB compressed as without moves"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

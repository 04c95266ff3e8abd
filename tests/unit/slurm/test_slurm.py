# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What Slurm prints, what passes between the halves of a job, and what is noted of its output."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc.automation.schedulers import Host, Running, migrate
from transproc.cluster.events import Silent, Token
from transproc.errors import FormatError, TransprocError
from transproc.slurm import admission, channel, commands, configuration
from transproc.slurm.commands import parse_job, parse_nodes
from transproc.slurm.ending import await_end
from transproc.slurm.identity import Identity
from transproc.slurm.output import Stream, read_notes, write_notes

JOB = """\
JobId=7 JobName=a JobState=FAILED name
   UserId=user(1000) GroupId=user(1000) MCS_label=N/A
   Priority=0 Nice=0 Account=(null) QOS=(null)
   JobState=RUNNING Reason=None Dependency=(null)
   Requeue=1 Restarts=2 BatchFlag=1 Reboot=0 ExitCode=0:0
   RunTime=00:00:04 TimeLimit=00:10:00 TimeMin=N/A
   StartTime=2026-11-28T14:00:00 EndTime=2026-11-28T14:10:00 Deadline=N/A
   PreemptEligibleTime=2026-11-28T14:00:00 PreemptTime=None
   Partition=x86,arm AllocNode:Sid=login:22936
   ReqNodeList=(null) ExcNodeList=(null)
   NodeList=a1
   Comment=Restarts=9 transproc:to=arm
   StdOut=/srv/Partition=z out
"""


def test_a_job_is_read_from_what_scontrol_prints() -> None:
    job = parse_job(JOB)
    assert (job.number, job.state, job.partitions, job.nodes) == (7, "RUNNING", ("x86", "arm"), "a1")
    assert (job.restarts, job.requeue, job.limit, job.preempted, job.held) == (2, True, 600.0, None, True)
    assert (job.comment, job.stdout) == ("Restarts=9 transproc:to=arm", "/srv/Partition=z out")
    assert job.started == time.mktime((2026, 11, 28, 14, 0, 0, 0, 0, -1))


def test_a_job_that_is_sent_a_signal_runs() -> None:
    """Else the one that says that it is preempted would be the program's."""
    assert parse_job(JOB.replace("JobState=RUNNING", "JobState=SIGNALING")).state == "RUNNING"


def test_a_task_of_an_array_is_not_taken_for_all_of_it() -> None:
    task = parse_job(JOB.replace("JobId=7 ", "JobId=7 ArrayJobId=7 ArrayTaskId=2 "))
    assert (task.number, task.label, task.name) == (7, "7_2", "a JobState=FAILED name")
    waiting = parse_job(JOB.replace("JobId=7 ", "JobId=7 ArrayJobId=7 ArrayTaskId=3-9%2 "))
    assert (waiting.number, waiting.label) == (7, "7")
    environment = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
    assert Identity.of(environment).label == "7_2"
    assert Identity.of({"SLURM_JOB_ID": "7"}).label == "7"


def test_nodes_have_their_isas_as_uname_says_them() -> None:
    text = "NodeName=a Arch=aarch64 CPUTot=2\n   State=IDLE+DRAIN* Partitions=arm,all \n\nNodeName=b Arch=x86_64\n   State=IDLE\n"
    first, second = parse_nodes(text)
    assert (first.name, first.isa, first.partitions) == ("a", "aarch64", ("arm", "all"))
    assert first.states == {"IDLE", "DRAIN"}
    assert second.isa == "x86_64"


@given(st.text())
def test_what_is_no_answer_is_an_error(text: str) -> None:
    for parse in (parse_job, parse_nodes):
        with pytest.raises(FormatError):
            parse(text)


@given(st.binary(max_size=64))
def test_frames_are_read_or_refused(data: bytes) -> None:
    stream = io.BytesIO(data)
    try:
        while channel.receive(stream) is not None:
            pass
    except FormatError:
        pass


def test_a_frame_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(FormatError, match="expected at most"):
        channel.receive(io.BytesIO(b"\xff\xff\xff\x7f"))


def test_an_archive_comes_as_it_was_written() -> None:
    stream = io.BytesIO()
    writer = channel.Writer(stream)
    for piece in (b"a", b"b" * 70000):
        writer.write(piece)
    writer.finish()
    channel.send(stream, {"do": "end"})
    stream.seek(0)
    assert b"".join(channel.receive_all(stream)) == b"a" + b"b" * 70000
    assert channel.receive(stream) == {"do": "end"}


def copied(source: Path, target: Path, notes: Path, *, append: bool) -> None:
    """As one life of a job does."""
    file = os.open(target, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC), 0o600)
    stream = Stream("stdout", file, "")
    stream.follow(source, read_notes(notes).get("stdout"))
    stream.pump()
    write_notes(notes, [stream])
    stream.close()
    os.close(file)


@pytest.mark.parametrize("append", [True, False])
def test_output_comes_once_and_complete(tmp_path: Path, append: bool) -> None:
    source, target, notes = tmp_path / "source", tmp_path / "target", tmp_path / "notes"
    notes.touch()
    for part in (b"one\n", b"two\n", b"three\n"):
        with source.open("ab") as file:
            file.write(part)
        copied(source, target, notes, append=append)
    assert target.read_bytes() == b"one\ntwo\nthree\n"


def test_notes_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    for text in ("", "[]", '{"stdout": 3}', '{"stdout": {"sent": "x", "inode": 1, "size": 1}}', "\xff"):
        path.write_text(text, encoding="latin-1")
        assert read_notes(path) == {}


def test_a_configuration_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "slurm.toml"
    for text, wrong in (
        ("", "state: missing"),
        ('state = "shared"', "state: found 'shared', expected an absolute path"),
        ('state = "/shared"\ncriu = "criu"', "criu: found 'criu', expected a list of words"),
        ('state = "/shared"\nstat = 1', "stat: found 1, expected no such key"),
        ("state = ", "not valid TOML"),
    ):
        path.write_text(text)
        with pytest.raises(TransprocError, match=wrong):
            configuration.read(path)
    path.write_text(f"state = {json.dumps(str(tmp_path))}")
    assert configuration.read(path).state == tmp_path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is told what to do for others")
def test_root_believes_no_configuration_that_others_can_write(tmp_path: Path) -> None:
    path = tmp_path / "slurm.toml"
    path.write_text('state = "/shared"')
    path.chmod(0o666)
    with pytest.raises(TransprocError, match="others than root can write it"):
        configuration.read(path)


def test_what_is_no_job_or_several_at_once_is_refused() -> None:
    with pytest.raises(TransprocError, match="no job of Slurm"):
        Identity.of({})
    with pytest.raises(TransprocError, match="has 4 tasks"):
        Identity.of({"SLURM_JOB_ID": "7", "SLURM_STEP_NUM_TASKS": "4"})
    with pytest.raises(TransprocError, match="heterogeneous"):
        Identity.of({"SLURM_JOB_ID": "7", "SLURM_HET_SIZE": "2"})
    assert Identity.of({"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "2"}).restarts == 2


def test_a_job_that_has_left_does_not_stay_until_it_is_killed() -> None:
    """Its script ends, and nobody waits for more than that."""
    with subprocess.Popen(["sleep", "1000"]) as script:
        await_end(Identity(7, "7", 0, "n1", shell=script.pid), told=True)
        assert script.wait(10) == -signal.SIGTERM
    await_end(Identity(7, "7", 0, "n1", step=True), told=True)
    await_end(Identity(7, "7", 0, "n1"), told=False)


class Recorded:
    """A batch system that notes what it is asked for; its job stops when it is looked at twice."""

    def __init__(
        self, *, stopped: bool = False, closed: tuple[str, ...] = (), unfit: tuple[str, ...] = ()
    ) -> None:
        self.unfit = unfit
        self.asked: list[str] = []
        self.closed = closed
        self._looks = 0
        self._stopped = stopped

    def hosts(self) -> list[Host]:
        return [Host("n1", "x86_64", ("x86",), True), Host("n2", "aarch64", ("arm",), True)]

    def look(self, job: str) -> Running:
        self._looks += 1
        return Running(job, "x86", "n1", self._stopped or self._looks > 1)

    def check(self, job: str, place: str) -> None:
        if place in self.unfit:
            raise TransprocError(f"job {job}: cannot start in {place}")

    def stop(self, job: str, place: str) -> None:
        self.asked.append(f"stop {job} {place}")

    def ship(self, job: str, place: str) -> None:
        self.asked.append(f"ship {job} {place}")

    def place(self, job: str, place: str) -> None:
        if place in self.closed:
            raise TransprocError(f"place {job}: {place} is closed to you")
        self.asked.append(f"place {job} {place}")

    def start(self, job: str) -> None:
        self.asked.append(f"start {job}")


def test_a_job_stops_before_it_is_placed_and_starts_last() -> None:
    system = Recorded()
    migrate(system, "7", "arm", events=Silent(), cancel=Token())
    assert system.asked == ["stop 7 arm", "ship 7 arm", "place 7 arm", "start 7"]


def test_a_migration_that_was_cut_off_goes_on_where_it_was() -> None:
    system = Recorded(stopped=True)
    migrate(system, "7", "arm", events=Silent(), cancel=Token())
    assert system.asked == ["ship 7 arm", "place 7 arm", "start 7"]


def test_a_job_that_is_refused_elsewhere_goes_on_where_it_was() -> None:
    system = Recorded(closed=("arm",))
    with pytest.raises(TransprocError, match="place 7: arm is closed to you; job 7 goes on in x86"):
        migrate(system, "7", "arm", events=Silent(), cancel=Token())
    assert system.asked == ["stop 7 arm", "ship 7 arm", "place 7 x86", "start 7"]


@pytest.mark.parametrize("stopped", [True, False])
def test_a_job_that_could_not_start_elsewhere_is_not_touched(*, stopped: bool) -> None:
    system = Recorded(stopped=stopped, unfit=("arm",))
    with pytest.raises(TransprocError, match="job 7: cannot start in arm"):
        migrate(system, "7", "arm", events=Silent(), cancel=Token())
    assert system.asked == []


def test_what_a_job_asks_for_is_known_as_options_of_sbatch() -> None:
    fields = (
        "   NumNodes=1 NumCPUs=4 NumTasks=2 CPUs/Task=N/A ReqB:S:C:T=0:0:*:*\n   MinCPUsNode=2 MinMemoryNode=0\n"
        "   Features=[a|b]&c DelayBoot=00:00:00\n   TresPerNode=gres:gpu:1\n"
    )
    job = parse_job(
        JOB.replace("QOS=(null)", "QOS=high").replace("ReqNodeList=(null)", "ReqNodeList=n[1-2]") + fields
    )
    assert job.asks == (
        "--nodes=1",
        "--ntasks=2",
        "--mincpus=2",
        "--gres=gpu:1",
        "--constraint=[a|b]&c",
        "--nodelist=n[1-2]",
    )
    assert (job.uid, job.terms) == (1000, ("--qos=high",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("00:10:00", 600.0), ("365-00:00:01", 31536001.0), ("UNLIMITED", None), ("NONE", None), ("", None)],
)
def test_times_are_read_as_slurm_prints_them(text: str, expected: float | None) -> None:
    assert admission.seconds(text) == expected


def test_one_that_can_go_nowhere_waits_and_it_is_said() -> None:
    system = Recorded(closed=("arm", "x86"))
    with pytest.raises(TransprocError, match="closed to you; job 7 has left x86, and waits: place 7: x86 is"):
        migrate(system, "7", "arm", events=Silent(), cancel=Token())


def test_a_place_that_is_not_there_is_refused_before_anything_is_asked() -> None:
    system = Recorded()
    with pytest.raises(TransprocError, match="mips: no such place"):
        migrate(system, "7", "mips", events=Silent(), cancel=Token())
    assert system.asked == []


@pytest.mark.parametrize(
    ("error", "times", "good"),
    [
        ("Resource temporarily unavailable for job 7", 2, True),
        ("Invalid partition name specified for job 7", 1, False),
    ],
)
def test_an_error_that_is_none_of_slurms_is_asked_again(
    error: str, times: int, good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Slurm 24.11 without accounting says it now and then when a partition is changed."""
    script = tmp_path / "scontrol"
    counted = f'[ "$(wc -l <{tmp_path}/asked)" -gt {times} ]'
    script.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n{counted} || {{ echo "{error}" >&2; exit 1; }}\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(commands, "_REST", 0.0)
    with nullcontext() if good else pytest.raises(TransprocError, match="Invalid partition"):
        commands.update("7", Partition="arm")
    assert (tmp_path / "asked").read_text() == "update JobId=7 Partition=arm\n" * (times + good)

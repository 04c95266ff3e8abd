# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller as its users have it: commands that it performs, and what becomes of a migration when it is killed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes
from tests.native.outcomes import Outcomes
from tests.native.performing import context_of, expected
from tests.native.served import COMMAND, SECONDS, Served
from transproc.automation.plans import records
from transproc.cluster import checkpoints, operations
from transproc.cluster.base import DATA
from transproc.cluster.history import Reader
from transproc.cluster.job import Job, State
from transproc.cluster.operations import Context
from transproc.cluster.start import Program
from transproc.cluster.watch import wait

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

OUTCOMES = Outcomes()


def test_commands_go_to_a_controller(served: Served, steady: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("hello")
    words = ["--node", "na", "--name", "steady", "--files", tmp_path / "data", "--env", "SECRET=hidden"]
    assert served("run", *words, "--", steady).stdout == "steady\n"
    assert "steady  running  na" in served("ps").stdout
    done = served("migrate", "steady", "--to", "nb")
    assert done.stdout.startswith("steady runs on nb; downtime")
    assert "  ✓ resume" in done.stderr and "\n✓ migrate steady from na to nb" in done.stderr, done.stderr
    assert served.json("migrate", "steady", "--to", "na")["target"] == "na"
    image = served.json("dump", "steady")["image"]
    assert Path(image).is_dir()
    assert "main" in served("show", "steady").stdout
    assert served.json("show", "steady")["processes"][0]["isa"] == "x86_64"
    assert served.json("transform", "steady", "--to", "x86_64")["state"] == "transformed"
    assert served("resume", "steady").stdout == "steady runs on na\n"
    kinds = [entry["kind"] for entry in served.json("history", "steady")]
    assert kinds == ["migrate", "migrate", "dump", "resume"]
    made = served.json("checkpoint", "steady", "--end")
    assert f"job         steady, checkpoint {made['number']}" in served("inspect", made["path"]).stdout
    assert served.json("inspect")[0]["path"] == made["path"]
    done = served("inspect", tmp_path, check=False)
    assert done.returncode == 1 and "not one of the controller's checkpoints" in done.stderr
    served("kill", "--remove", "steady")
    assert served("restart", made["path"], "--node", "nb").stdout == "steady runs on nb\n"
    assert served.nodes["nb"].get_bytes(f"{DATA}/jobs/steady/data/work/file") == b"hello"
    finish(served, "nb")
    assert served.json("ps") == []
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "jobs.sqlite")) as database, database:
        assert "hidden" not in str(database.execute("SELECT * FROM tasks").fetchall())


def test_errors_are_those_of_the_command(served: Served, steady: Path) -> None:
    done = served("migrate", "none", "--to", "nb", check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "transproc: error: job none: no such job")
    served("run", "--node", "na", "--name", "job", "--", steady)
    done = served("migrate", "job", "--to", "nowhere", check=False)
    assert done.returncode == 1 and "node nowhere: unknown" in done.stderr and "hint: " in done.stderr
    done = served("attach", "job", check=False)
    assert done.returncode == 1 and "job job: has no terminal" in done.stderr
    served.end()
    done = served("ps", check=False)
    assert done.returncode == 1 and "controller https://127.0.0.1" in done.stderr
    served.start()
    served("kill", "--remove", "job")


def test_nodes_and_policies_of_a_controller(served: Served, tmp_path: Path) -> None:
    found = {node["name"]: node for node in served.json("nodes", "list")}
    assert {"na", "nb", "local"} <= found.keys()
    assert found["na"]["capacity"] is None and "na" in found["na"]["labels"]
    assert served.json("top")["jobs"] == []
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nkind = "evacuate"\nnodes = "na"\n')
    assert served("policy", "explain", policy).stdout == "nothing is to be done\n"
    done = served("policy", "set", policy, check=False)
    assert done.returncode == 1 and "expected admin" in done.stderr
    served.here("policy", "set", str(policy))
    assert served("policy", "show").stdout.startswith(policy.read_text())
    served.here("policy", "unset")
    assert served.json("policy", "show")["text"] is None
    done = served("nodes", "remove", "na", check=False)
    assert done.returncode == 1 and "expected admin" in done.stderr


def test_plans_of_its_host_are_carried_out_by_a_controller(
    served: Served, steady: Path, tmp_path: Path
) -> None:
    """By an admin, of a file on its host; who operates sees the log."""
    served.knows("boss", "boss", "admin")
    plan = tmp_path / "tour.toml"
    plan.write_text(
        f'[nodes]\na = "na"\nb = "nb"\n[jobs.steady]\nprogram = "{steady}"\n[sequence]\nmain = [{{ run = "steady", on = "a" }}, '
        '{ migrate = "steady", to = "b" }, { command = "test -e let", on = "b", job = "steady" }]\n'
    )
    done = served("plan", "run", plan, "--there", check=False)
    assert done.returncode == 1 and "an admin only may name a file" in done.stderr
    done = served("plan", "run", plan, "--there", check=False, context="boss")
    assert done.returncode == 1 and "'transproc plan resume 1' goes on" in done.stderr
    assert "steady runs on nb" in done.stderr and "✓ 2 migrate steady to b" in done.stderr
    served.nodes["nb"].run(["touch", f"{DATA}/jobs/steady/data/work/let"])
    assert served("plan", "resume", "1", context="boss").stdout == "steady runs on nb\n"
    steps = served.json("plan", "log", "tour")["steps"]
    assert [(step["verb"], step["result"]) for step in steps] == [
        ("run", "done"),
        ("migrate", "done"),
        ("command", "failed"),
        ("goes on", "resumed"),
        ("command", "done"),
    ]
    assert served("plan", "log").stdout.splitlines()[1].split()[:2] == ["1", "tour"]
    finish(served, "nb")


def test_nodes_are_added_at_a_controller(served: Served, machines: NativeNodes, tmp_path: Path) -> None:
    """By an admin, who confirms the fingerprint that the controller sees; it logs in with its own key."""
    keys = tmp_path / ".ssh"
    keys.mkdir()
    for name in ("user", "user.pub"):
        shutil.copy(machines.directory / name, keys / f"id_ed25519{name[4:]}")
    served.end()
    served.environment["HOME"] = str(tmp_path)
    served.start()
    served.knows("boss", "boss", "admin")
    where = ["nc", "127.0.0.1", "--port", str(machines.machines["na"].port)]
    done = served("nodes", "add", *where, check=False)
    assert done.returncode == 1 and "expected admin" in done.stderr
    done = served("nodes", "add", *where, check=False, context="boss")
    assert "nobody has confirmed the host key" in done.stderr
    assert f"logs in with the key {(keys / 'id_ed25519.pub').read_text().strip()}" in done.stderr
    shown = done.stderr.split("add --fingerprint ")[1].strip()
    done = served("nodes", "add", *where, "--fingerprint", "SHA256:wrong", check=False, context="boss")
    assert done.returncode == 1 and "expected SHA256:wrong" in done.stderr
    done = served("nodes", "add", *where, "--fingerprint", shown, "--label", "cheap", context="boss")
    assert done.stdout == f"nc (x86_64) is listed in {tmp_path / 'nodes.toml'}, and can be used\n"
    found = {node["name"]: node for node in served.json("nodes", "list")}
    assert found["nc"]["labels"] == ["cheap", "nc", "x86_64"] or found["nc"]["state"] == "?"
    assert "nc:" in served("nodes", "check", "nc").stdout
    assert "no longer listed" in served("nodes", "remove", "nc", context="boss").stdout
    done = served("nodes", "check", "nc", check=False)
    assert done.returncode == 1 and "node nc: unknown" in done.stderr


def _is_connected(process: subprocess.Popen[bytes]) -> bool:
    fds = Path(f"/proc/{process.pid}/fd")
    return any(fd.is_symlink() and str(fd.readlink()).startswith("socket:") for fd in list(fds.iterdir()))


def test_who_listens_when_a_controller_is_killed(served: Served, steady: Path) -> None:
    """Output and the end of a job come in full, from the next one."""
    served("run", "--node", "na", "--name", "steady", "--", steady)
    place = f"{DATA}/jobs/steady/data"
    words = [str(COMMAND), "--controller", "c"]
    with (
        subprocess.Popen([*words, "logs", "-f", "steady"], env=served.user, stdout=subprocess.PIPE) as logs,
        subprocess.Popen([*words, "wait", "steady"], env=served.user, stderr=subprocess.PIPE) as waiter,
    ):
        assert logs.stdout is not None
        first = logs.stdout.readline()
        while not _is_connected(waiter):
            assert waiter.poll() is None
        time.sleep(0.5)  # for the answer that it waits for
        served.end(signal.SIGKILL)
        time.sleep(1)  # both have noticed it
        assert waiter.poll() is None and logs.poll() is None
        served.start()
        served.nodes["na"].run(["touch", f"{place}/work/stop"])
        printed = (first + logs.stdout.read()).decode()
        assert (logs.wait(SECONDS), waiter.wait(SECONDS)) == (0, 0)
    assert printed == expected(printed.count("\n") - 1) + "end\n"
    served("kill", "--remove", "steady")


PATIENT = """
import sys
from transproc.cli import main
from transproc.controller import patience

patience.SECONDS = 600.0  # however busy the machine is on which the next controller starts
main.main(sys.argv[1:])
"""
MOVE = ("migrate", "steady", "--to", "nb")
OPERATIONS = {
    "migrate": MOVE,
    "migrate --lazy": (*MOVE, "--lazy"),
    "checkpoint": ("checkpoint", "steady"),
    "checkpoint --end": ("checkpoint", "steady", "--end"),
    "restart": ("restart", "CHECKPOINT", "--node", "nb"),
}


def one_after_the_other(strike_at: Callable[[str], str]) -> list[str]:
    """Strikes at the first moment, the second, … until none is left, and says which they were."""
    moments: list[str] = []
    while struck := strike_at(str(len(moments) + 1)):
        moments.append(struck)
    return moments


@pytest.mark.parametrize("moment", [pytest.param("dump begun", marks=pytest.mark.nightly), "resume done"])
def test_a_controller_is_killed(served: Served, steady: Path, tmp_path: Path, moment: str) -> None:
    """The next one settles it by itself, one copy goes on, and who waits is told."""
    assert strike(served, steady, tmp_path, "migrate", moment) == moment


@pytest.mark.nightly
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_controller_is_killed_at_every_moment(
    served: Served, steady: Path, tmp_path: Path, operation: str
) -> None:
    """Whatever steps there are."""
    moments = one_after_the_other(lambda number: strike(served, steady, tmp_path, operation, number))
    assert len(set(moments)) > 12, moments


REQUESTS = {
    "run": ("run", "--node", "na", "--name", "steady", "--", "PROGRAM"),
    "run without a name": ("run", "--node", "na", "--", "PROGRAM"),
    "plan": ("plan", "run", "PLAN"),
    "migrate": MOVE,
}
ASKED = [
    pytest.param("run", "os.mkdir", marks=pytest.mark.nightly),  # the upload is to be made
    ("run without a name", "INSERT INTO tasks"),  # the program is there, and it is to be recorded
    pytest.param("plan", "UPDATE tasks SET", marks=pytest.mark.nightly),  # it is recorded, and to be begun
    ("migrate", "send HTTP/1.1 202"),  # it may have begun, and is to be answered
]


@pytest.mark.parametrize("operation, moment", ASKED)
def test_a_controller_is_killed_before_its_first_answer(
    served: Served, steady: Path, tmp_path: Path, operation: str, moment: str
) -> None:
    """What is asked for is done once, or not at all, and who asks is told which."""
    assert strike_request(served, steady, tmp_path, operation, moment) == moment


@pytest.mark.nightly
@pytest.mark.parametrize("operation", REQUESTS)
def test_a_controller_is_killed_at_every_moment_of_a_request(
    served: Served, steady: Path, tmp_path: Path, operation: str
) -> None:
    """On a busy machine the task may begin later than the sweep ends: each of its moments is struck once in any case."""
    moments = one_after_the_other(lambda number: strike_request(served, steady, tmp_path, operation, number))
    for name in {"INSERT INTO tasks", "UPDATE tasks SET", "send HTTP/1.1 202"} - set(moments):
        assert strike_request(served, steady, tmp_path, operation, name) == name, moments


PLAN = """
[nodes]
a = "na"
b = "nb"
[jobs.steady]
program = "{program}"
[sequence]
main = [
  {{ run = "steady", on = "a" }},
  {{ migrate = "steady", to = "b" }},
  {{ checkpoint = "steady" }},
  {{ dump = "steady" }}, {{ transform = "steady", to = "a" }}, {{ ship = "steady", to = "a" }},
  {{ restore = "steady", to = "a", stopped = true }}, {{ resume = "steady" }},
]
"""


@pytest.mark.parametrize("moment", [pytest.param("dump begun", marks=pytest.mark.nightly), "restore begun"])
def test_a_plan_is_killed_with_its_controller(
    served: Served, steady: Path, tmp_path: Path, moment: str
) -> None:
    """The next one settles its jobs, and who waits is told where the plan stands; it is resumed, and comes to its end."""
    assert strike_plan(served, steady, tmp_path, moment) == moment


@pytest.mark.nightly
def test_a_plan_is_killed_with_its_controller_at_every_moment(
    served: Served, steady: Path, tmp_path: Path
) -> None:
    moments = one_after_the_other(lambda number: strike_plan(served, steady, tmp_path, number))
    assert len(set(moments)) > 20, moments


def strike_plan(served: Served, steady: Path, tmp_path: Path, moment: str) -> str:
    """Kills the controller at a moment of a plan, which then is resumed; returns the moment's name, if there was one."""
    path = tmp_path / "tour.toml"
    path.write_text(PLAN.format(program=steady))
    context = context_of(tmp_path / "state", served.nodes)
    status, errors, struck = _struck(served, tmp_path, moment, ["plan", "run", str(path)])
    if not struck:
        assert status == 0, errors
    else:
        assert "the controller ended meanwhile; " in errors, errors
        (record,) = records.plans(context.store)[:1]
        assert status == 1 and f"plan tour ({record.number}) was cut off" in errors, errors
        assert f"'transproc plan resume {record.number}' goes on" in errors, errors
        assert record.result == "cut off" and Reader(context.store.path).under_way() == []
        _one_runs(context)
        served("plan", "resume", str(record.number))
        assert records.plan(context.store, record.number).result == "done"
        OUTCOMES.add("plan", "controller: killed", "settled by the next controller, resumed")
    job = _one_runs(context)
    assert job is not None and job.node == "na"
    _come_to_its_end(context)
    operations.discard(context, "steady")
    assert [listed(served, name) for name in served.nodes] == ["", ""]
    shutil.rmtree(tmp_path / "state" / "checkpoints", ignore_errors=True)
    return struck


def strike_request(served: Served, steady: Path, tmp_path: Path, operation: str, moment: str) -> str:
    """Kills the controller at a moment of a request; returns the moment's name, if there was one."""
    plan = tmp_path / "tour.toml"
    plan.write_text(PLAN.format(program=steady))
    context = context_of(tmp_path / "state", served.nodes)
    if operation == "migrate":
        operations.run(context, Program([str(steady)]), "na", name="steady")
    places = {"PROGRAM": str(steady), "PLAN": str(plan)}
    words = [places.get(word, word) for word in REQUESTS[operation]]
    before = _newest_task(context)
    status, errors, struck = _struck(served, tmp_path, f"request {moment}", words)
    tasks = context.store.database.all(
        "SELECT kind, state FROM tasks WHERE number > ? AND kind != 'recover'", before
    )
    assert len(tasks) == 1, f"{struck}: {tasks}; {errors}"  # whatever was asked again is no second one
    state = tasks[0][1]
    assert status == (0 if state == "done" else 1), (struck, tasks, errors)
    if state == "cancelled":
        assert "the controller ended before it began" in errors and "hint: nothing was done" in errors, errors
    if state == "cut off":
        assert "the controller ended meanwhile; " in errors, errors
    assert state in ("done", "cancelled", "cut off"), (struck, tasks, errors)
    for record in records.plans(context.store)[:1]:
        if record.result == "cut off":
            served("plan", "resume", str(record.number))
    names = context.store.names()
    assert names in (["steady"], []) and (names or state != "done"), (struck, names, errors)
    if struck:
        OUTCOMES.add(f"request to {operation.partition(' ')[0]}", "controller: killed", _outcome(state))
    if names:
        assert _one_runs(context) is not None
        operations.discard(context, "steady")
    assert [listed(served, name) for name in served.nodes] == ["", ""]
    shutil.rmtree(tmp_path / "state" / "checkpoints", ignore_errors=True)
    return struck


def _outcome(state: str) -> str:
    if state == "done":
        return "done once"
    return "was not begun, and said so" if state == "cancelled" else "settled by the next controller"


def _newest_task(context: Context) -> int:
    return int(context.store.database.one("SELECT coalesce(max(number), 0) FROM tasks")[0])


def _struck(served: Served, tmp_path: Path, moment: str, words: list[str]) -> tuple[int, str, str]:
    """A command waits for a controller that is killed at a moment, and for the next one: its status, what it says, and the
    name of the moment, if it came."""
    record = tmp_path / "moments"
    record.write_text("")
    served.end()
    served.start("-m", "tests.native.doomed", moment, str(record))
    process = served.process
    assert process is not None
    command_line = [sys.executable, "-c", PATIENT, "--controller", "c", *words]
    with subprocess.Popen(command_line, env=served.user, stderr=subprocess.PIPE, text=True) as command:
        while process.poll() is None and command.poll() is None:
            time.sleep(0.01)
        struck = process.poll() is not None
        if struck:
            assert process.returncode == -signal.SIGKILL
            served.start()
        _, errors = command.communicate(timeout=5 * SECONDS)
    return command.returncode, errors, record.read_text().splitlines()[-1] if struck else ""


def strike(served: Served, steady: Path, tmp_path: Path, operation: str, moment: str) -> str:
    """Kills the controller at a moment of an operation; returns the moment's name, or nothing if there was none."""
    context = context_of(tmp_path / "state", served.nodes)
    operations.run(context, Program([str(steady)]), "na", name="steady")
    made = Path()
    if operation == "restart":
        made = operations.checkpoint(context, "steady", end=True).path
        operations.discard(context, "steady")
    words = [str(made) if word == "CHECKPOINT" else word for word in OPERATIONS[operation]]
    status, errors, struck = _struck(served, tmp_path, moment, words)
    assert status == (1 if struck else 0), errors
    if struck:
        assert "the controller ended meanwhile; " in errors, errors
        OUTCOMES.add(operation, "controller: killed", settled(context, tmp_path, operation, errors))
    if context.store.names():
        operations.discard(context, "steady")
    assert [listed(served, name) for name in served.nodes] == ["", ""]
    shutil.rmtree(tmp_path / "state" / "checkpoints", ignore_errors=True)
    return struck


def settled(context: Context, tmp_path: Path, operation: str, errors: str) -> str:
    """One copy of the job, or none where none may be, and nothing of it elsewhere; returns what became of it."""
    found = whole(tmp_path)
    assert Reader(context.store.path).under_way() == []
    if not context.store.names():
        assert operation == "restart", errors
        assert "nothing of steady is left on nb" in errors or "nothing is left of it" in errors, errors
        return "nothing was left, settled by the next controller"
    job = context.store.load("steady")
    became = "settled by the next controller"
    if job.state is State.EXITED:
        assert (operation, job.exit) == ("checkpoint --end", "checkpoint"), job
        assert not [pid for name in ("na", "nb") for pid in context.places(job, name).found()]
        operations.discard(context, "steady")
        job = operations.restart(context, found[-1], "nb")
        became = f"restarted from its checkpoint, {became}"
    else:
        assert f"steady runs on {job.node}" in errors, errors
    _one_runs(context)
    _come_to_its_end(context)
    return became


def _one_runs(context: Context) -> Job | None:
    """One copy of the job, if it was begun, and nothing is under way with it."""
    if not context.store.names():
        return None
    job = context.store.load("steady")
    assert (job.state, job.target, job.leftovers) == (State.RUNNING, None, []), job
    copies = [(name, pid) for name in ("na", "nb") for pid in context.places(job, name).found()]
    assert copies == [(job.node, job.pid)], copies
    return job


def _come_to_its_end(context: Context) -> None:
    """It ends, and has written each line once."""
    place = context.places(context.store.load("steady"))
    place.node.run(["touch", f"{place.data}/work/stop"])
    assert wait(context.store, "steady", context.places, SECONDS).exit == "status 0"
    printed = place.read("stdout").decode()
    count = printed.count("\n") - 1
    assert count > 0 and printed == expected(count) + "end\n"
    assert place.node.get_bytes(f"{place.data}/work/lines").decode() == expected(count)


def whole(tmp_path: Path) -> list[Path]:
    """The checkpoints that there are, all of them complete; of others there is nothing."""
    place = tmp_path / "state" / "checkpoints"
    found = checkpoints.listed(place, "steady")
    assert sorted(found) == (sorted(place.iterdir()) if place.exists() else [])
    for path in found:
        checkpoints.verify(checkpoints.read(path))
    return found


def listed(served: Served, node: str) -> str:
    """What is in the directory of the jobs there."""
    return served.nodes[node].output(["sh", "-c", 'ls "$1" 2>/dev/null || true', "sh", f"{DATA}/jobs"])


def finish(served: Served, node: str) -> None:
    """The program comes to its end, and has written each line once."""
    place = f"{DATA}/jobs/steady/data"
    served.nodes[node].run(["touch", f"{place}/work/stop"])
    assert served("wait", "steady").returncode == 0
    printed = served("logs", "steady").stdout
    count = printed.count("\n") - 1
    assert count > 0 and printed == expected(count) + "end\n"
    assert served.nodes[node].get_bytes(f"{place}/work/lines").decode() == expected(count)
    served("kill", "--remove", "steady")
    assert [listed(served, name) for name in served.nodes] == ["", ""]


def test_two_clients_at_once(served: Served, steady: Path) -> None:
    """Of two migrations of one job one is carried out, and the other one is told who works on it, or where the job is."""
    served("run", "--node", "na", "--name", "steady", "--", steady)
    words = [str(COMMAND), "--controller", "c", "migrate", "steady", "--to", "nb"]
    commands = [subprocess.Popen(words, env=served.user, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [command.communicate(timeout=60)[1] for command in commands]
    statuses = [command.returncode for command in commands]
    assert sorted(statuses) == [0, 1, 1, 1], said
    for status, errors in zip(statuses, said, strict=True):
        works, late = "works on it (migrate, asked for by tester)", "is on node nb already"
        assert status == 0 or works in errors or late in errors
    assert served.json("ps")[0]["node"] == "nb"
    finish(served, "nb")

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line: exact texts of errors and help, exit statuses."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from transproc import __version__, paths
from transproc.cli import commands, main, ps
from transproc.cluster.job import Job, State
from transproc.cluster.store import JobStore

USAGE = "hint: 'transproc COMMAND --help' shows the usage with examples\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def job(name: str, state: State, **fields: object) -> Job:
    """A job in the store, on a node that does not exist."""
    made = Job(name, "mars", ["prog", "10"], pid=4711, state=state, **fields)  # type: ignore[arg-type]
    JobStore().create(made)
    return made


def damage(name: str) -> None:
    """Half of its record is lost."""
    with contextlib.closing(sqlite3.connect(JobStore().path)) as database, database:
        database.execute("UPDATE jobs SET record = '{' WHERE name = ?", (name,))


def failing(
    words: list[str], status: int, message: str, hint: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(words) == status
    out, err = capsys.readouterr()
    assert err == f"transproc: error: {message}\n" + (f"hint: {hint}\n" if hint else "")
    assert out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fly"], "no such command 'fly'"),
        (["ps", "--fast"], "no such option: --fast"),
        (["ps", "x"], "got unexpected extra argument(s) (x)"),
        (["run"], "missing argument 'PROG'"),
        (["migrate"], "missing argument 'NAME'"),
        (["migrate", "x"], "invalid value for '--to': expected one of --to NODE, --to-label LABEL, --any"),
        (
            ["migrate", "x", "--to", "y", "--any"],
            "invalid value for '--to': expected one of --to NODE, --to-label LABEL, --any",
        ),
        (["restore", "x"], "missing option '--node'"),
        (["lab"], "missing command"),
        (["run", "--env", "A", "--", "x"], "invalid value for '--env': A: expected NAME=VALUE"),
        (["rehearse", "--env", "A", "--", "x"], "invalid value for '--env': A: expected NAME=VALUE"),
    ],
)
def test_usage(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    failing(words, 2, message, USAGE[6:-1], capsys)


def test_a_misspelt_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    failing(["migrat", "x"], 2, "no such command 'migrat'", "did you mean 'transproc migrate'?", capsys)


@pytest.mark.parametrize("command", ["logs", "wait", "kill", "pause", "dump", "transform", "resume"])
def test_no_such_job(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    hint = "'transproc run --name NAME -- PROG' starts one"
    failing([command, "p"], 1, "job p: no such job", hint, capsys)


def test_no_such_job_but_others(capsys: pytest.CaptureFixture[str]) -> None:
    job("nbody", State.RUNNING)
    job("primes", State.RUNNING)
    failing(["dump", "nobody"], 1, "job nobody: no such job", "jobs: nbody, primes", capsys)


def test_damaged_record(capsys: pytest.CaptureFixture[str]) -> None:
    job("p", State.RUNNING)
    damage("p")
    assert main.run(["wait", "p"]) == 1
    assert "job p: its record is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "state", "message", "hint"),
    [
        (["transform", "p"], State.PAUSED, "is paused, expected dumped or transformed", True),
        (["transform", "p"], State.RUNNING, "is running, expected dumped or transformed", False),
        (["restore", "p", "--node", "arm"], State.DUMPED, "is dumped, expected transformed or shipped", True),
        (["pause", "p"], State.PAUSED, "is paused, expected running", True),
        (["dump", "p"], State.DUMPED, "is dumped, expected running or paused", True),
        (["migrate", "p", "--to", "local"], State.DUMPED, "is dumped, expected running or paused", True),
        (["resume", "p"], State.EXITED, "has ended (status 0)", False),
        (["pause", "p"], State.EXITED, "has ended (status 0)", False),
    ],
)
def test_wrong_state(
    command: list[str], state: State, message: str, hint: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    made = job("p", state, exit="status 0" if state is State.EXITED else None)
    made.node = "local"
    JobStore().save(made)
    wanted = "'transproc resume p' lets it go on"
    failing(command, 1, f"job p: {message}", wanted if hint else None, capsys)


def test_unknown_node(capsys: pytest.CaptureFixture[str]) -> None:
    job("p", State.RUNNING)
    assert main.run(["logs", "p"]) == 1
    assert capsys.readouterr().err.startswith("transproc: error: node mars: unknown; there are local\nhint: ")


def test_not_a_pair(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = home / "prog"
    commands = (["run", "--", f"{program}"], ["check", f"{program}"], ["bench", f"{program}"])
    for words in commands:
        failing(
            words, 1, f"{program}: no such file", "name the program as transproc-cc wrote it (-o)", capsys
        )
    program.write_bytes(b"\x7fELF")
    hint = "compile with transproc-cc, and keep PROG.x86_64 and PROG.aarch64 beside PROG"
    foreign = f"{program} was not linked by transproc-cc: there are no prog.x86_64 and prog.aarch64 beside it"
    for words in commands:
        failing(words, 3, foreign, hint, capsys)
    (home / "prog.x86_64").write_bytes(b"\x7fELF")
    half = f"{home}/prog.aarch64 does not exist: prog is not a pair of binaries"
    for words in commands:
        failing(words, 1, half, hint, capsys)
    (home / "prog.aarch64").write_bytes(b"")
    for words in commands:
        assert main.run(words) == 1
        assert f"{home}/prog.x86_64: is damaged: " in capsys.readouterr().err


def test_damaged_record_hides_no_other_job(capsys: pytest.CaptureFixture[str]) -> None:
    job("good", State.PAUSED)
    job("bad", State.EXITED)
    damage("bad")
    assert main.run(["ps"]) == 0
    out, err = capsys.readouterr()
    assert "good" in out
    assert err.startswith("job bad: its record is damaged: ")
    assert main.run(["migrate", "bad", "--to", "arm"]) == 1
    assert "'transproc kill --remove bad' forgets it" in capsys.readouterr().err


def test_missing_inputs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(home / "pipe")
    hint = "write what comes from elsewhere to a file first; without one it is empty"
    for option, path, what in (
        ("--stdin", "none", "standard input none: no such file or directory"),
        ("--stdin", f"{home}/pipe", f"standard input {home}/pipe: expected a file"),
        ("--files", "none", "files none: no such file or directory"),
        ("--files", f"{home}/pipe", f"files {home}/pipe: expected a directory"),
    ):
        words = ["run", option, path, "--", "prog"]
        failing(words, 1, what, hint if option == "--stdin" else None, capsys)
    failing(["show", f"{home}/none"], 1, f"{home}/none: no such directory", None, capsys)


def test_show_without_image(capsys: pytest.CaptureFixture[str]) -> None:
    job("p", State.RUNNING)
    failing(["show", "p"], 1, "job p: has no image", "'transproc dump p' writes one", capsys)


def test_busy_job(capsys: pytest.CaptureFixture[str]) -> None:
    job("p", State.RUNNING)
    with JobStore().lock("p", "migrate"):
        who = f"(migrate, process {os.getpid()})"
        failing(["pause", "p"], 1, f"job p: another transproc command is working on it {who}", None, capsys)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"transproc {__version__}\n"


def test_ps(capsys: pytest.CaptureFixture[str]) -> None:
    job("p", State.EXITED, exit="signal 9", moves=1)
    job("q", State.RUNNING, leftovers=["venus"])
    assert main.run(["ps"]) == 0
    assert capsys.readouterr().out == (
        "NAME  STATE              NODE                          PID   HOPS  COMMAND\n"
        "p     exited (signal 9)  mars                          4711  1     prog 10\n"
        "q     unknown            mars (stopped copy on venus)  4711  0     prog 10\n"
    )


@pytest.mark.parametrize("words", [["ps", "--recorded"], ["top", "--once"]], ids=" ".join)
def test_a_job_that_owes_memory_says_whence_it_comes(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = job("p", State.OWING, owed_by="venus")
    JobStore().begin(made, "migrate", "mars")
    assert main.run(words) == 0
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("p ")]
    assert ["  mars (memory comes from venus)  " in line for line in found] == [True]


def test_ps_json(capsys: pytest.CaptureFixture[str]) -> None:
    made = job("p", State.RUNNING)
    assert main.run(["ps", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{**made.as_dict(), "state": "unknown", "stale": False}]


def test_ps_of_the_records_asks_no_node(capsys: pytest.CaptureFixture[str]) -> None:
    made = job("p", State.RUNNING)
    assert main.run(["ps", "--recorded", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{**made.as_dict(), "state": "running", "stale": True}]
    assert main.run(["ps", "--recorded"]) == 0
    assert "running  mars" in capsys.readouterr().out


def test_ps_does_not_wait_for_a_node(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nodes that accept connections and say nothing: they are given a second, not what a connection has."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        where = f'host = "127.0.0.1"\nport = {silent.getsockname()[1]}\nkey = "none"\nhost_key = "ssh-ed25519 A"\n'
        (home / "nodes.toml").write_text(f"[mars]\n{where}[venus]\n{where}")
        monkeypatch.setenv("TRANSPROC_NODES", str(home / "nodes.toml"))
        for name in ("mars", "venus"):
            made = job(f"on-{name}", State.RUNNING)
            made.node = name
            JobStore().save(made)
        begin = time.monotonic()
        assert main.run(["ps"]) == 0
        assert time.monotonic() - begin < ps.DEADLINE + 8  # a connection has 10 s
    out = capsys.readouterr().out
    assert re.search(r"on-mars +running\? +mars", out)
    assert re.search(r"on-venus +running\? +venus", out)


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands.COMMANDS:
        assert main.run([command, "--help"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"Usage: transproc {command} ")
        assert re.search(rf"\n  Examples?:\n    transproc .*{command}", out), command


def test_every_command_that_gives_a_result_gives_it_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The others have none, run another program, or show something to people."""
    groups = {"bench", "lab", "nodes", "policy", "plan", "token", "context", "slurm"}
    for command in set(commands.COMMANDS) - groups - {"attach", "logs", "kill", "demo", "setup", "serve"}:
        assert main.run([command, "--help"]) == 0
        assert "--json" in capsys.readouterr().out, command


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    out = capsys.readouterr().out
    lists = out.partition("\nJobs:\n")[2].splitlines()
    assert [line.split()[0] for line in lists if line.startswith("  ")] == list(commands.COMMANDS)


def test_manual_describes_every_command() -> None:
    text = (paths.SOURCE / "docs" / "cli.md").read_text()
    for command in commands.COMMANDS:
        assert re.search(rf"(transproc |`){command}\b", text), command

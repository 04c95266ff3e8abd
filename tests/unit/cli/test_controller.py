# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""All commands: a controller is asked for it, or it is said why not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from transproc.cli import common, main
from transproc.cli.commands import COMMANDS, HERE, OF_JOBS, REMOTE, app
from transproc.cluster.start import Program
from transproc.controller import contexts
from transproc.controller.patience import UnreachedError

EXAMPLES = {
    "run": "run --node n -- {program}",
    "migrate": "migrate j --to n",
    "ps": "ps",
    "top": "top --json",
    "history": "history",
    "logs": "logs j",
    "attach": "attach j",
    "wait": "wait j",
    "kill": "kill j",
    "recover": "recover j",
    "checkpoint": "checkpoint j",
    "restart": "restart /c --node n",
    "inspect": "inspect",
    "pause": "pause j",
    "dump": "dump j",
    "transform": "transform j",
    "ship": "ship j --node n",
    "restore": "restore j --node n",
    "resume": "resume j",
    "show": "show j",
    "nodes list": "nodes list",
    "nodes add": "nodes add n host",
    "nodes check": "nodes check",
    "nodes remove": "nodes remove n",
    "plan run": "plan run {plan}",
    "plan check": "plan check {plan}",
    "plan show": "plan show {plan}",
    "batch": "batch {batch}",
    "plan replay": "plan replay 1",
    "plan resume": "plan resume 1",
    "plan log": "plan log",
    "policy explain": "policy explain {policy}",
    "policy set": "policy set {policy}",
    "policy show": "policy show",
    "policy unset": "policy unset",
}
"""How each may be called."""
FILES = {
    "policy check": "it reads a file, and asks nobody",
    "policy run": "a controller carries out the policy that it has by itself",
}
"""Parts of commands that work on this host only."""


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A controller that is known, and does not answer."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    for name in ("HOME", "STATE"):
        monkeypatch.setenv(f"TRANSPROC_{name}", str(tmp_path / name))
    monkeypatch.setenv("TRANSPROC_NODES", str(tmp_path / "nodes.toml"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    url = f"https://127.0.0.1:{port}"
    contexts.save(None, {"c": contexts.Controller(url, "token")})
    yield url
    monkeypatch.setattr(common, "controller", None)


def parts() -> Iterator[str]:
    """All commands, and the parts of those that have some."""
    group = typer.main.get_command(app)
    context = typer.Context(group)
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        yield from (f"{name} {part}" for part in inner) if inner and name in REMOTE else (name,)


def test_of_every_command_it_is_known_where_it_works() -> None:
    assert REMOTE | HERE.keys() == COMMANDS.keys()
    assert not REMOTE & HERE.keys()
    assert HERE.keys() >= OF_JOBS
    assert sorted(EXAMPLES.keys() | FILES.keys() | HERE.keys()) == sorted(parts())


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_controller_is_asked(
    name: str,
    away: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And nobody else: nothing is done here when it does not answer."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nkind = "evacuate"\nnodes = "n"\n')
    monkeypatch.setattr(Program, "pair", lambda _: None)  # compiling one takes longer than all this
    plan, batch = tmp_path / "tour.toml", tmp_path / "night.toml"
    plan.write_text('[nodes]\na = "n"\n[jobs.j]\n[sequence]\nmain = [{ migrate = "j", to = "a" }]\n')
    batch.write_text('[[program]]\nprogram = "prog"\n')
    files = {"policy": policy, "plan": plan, "batch": batch, "program": tmp_path / "prog"}
    words = EXAMPLES[name].format(**files).split()
    with Path("/dev/null").open() as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)
        status = main.run(["--controller", "c", *words])
    said = capfd.readouterr().err
    assert (status, f"transproc: error: controller {away}: " in said) == (1, True), said
    assert not (tmp_path / "STATE").exists()


@pytest.mark.parametrize("name", sorted(HERE))
def test_it_is_said_why_not(name: str, away: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--controller", "c", name]) == 1
    said = capsys.readouterr().err
    assert f"'transproc {name}' works on this host only, not with controller {away}: {HERE[name]}" in said
    assert "--controller here" in said


@pytest.mark.parametrize("part", sorted(FILES.keys() - {"policy check"}))
def test_of_a_part_it_is_said_why_not(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--controller", "c", *part.split(), "none.toml"]) == 1
    assert FILES[part] in capsys.readouterr().err


def test_a_controller_that_has_answered_is_waited_for_by_the_whole_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`plan run` has its plan checked before it sends it: when the controller is started anew between the two, it goes on."""
    monkeypatch.setattr(common, "controller", "c")
    checks, sends = common.remote(), common.remote()
    assert checks is not None and sends is not None
    assert not sends.lost(UnreachedError("refused")).asked
    checks._answered = True
    assert sends.lost(UnreachedError("refused")).asked

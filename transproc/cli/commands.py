# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The commands, and the group that imports one's module when it is used: starting is quick, and help quicker."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from transproc import __version__, log
from transproc.cli import common

GROUPS = {
    "Jobs": {
        "run": "start a program as a job on a node",
        "migrate": "move a running job to another node",
        "ps": "list the jobs",
        "top": "watch nodes and jobs",
        "history": "what was done with jobs",
        "logs": "show what a job printed",
        "attach": "connect this terminal with a job's",
        "wait": "wait for a job's end",
        "kill": "end a job",
        "recover": "settle what was cut off, and remove what is left of it",
    },
    "Checkpoints": {
        "checkpoint": "write a job to a directory, from which it can be started again",
        "restart": "start a job from a checkpoint",
        "inspect": "what a checkpoint holds, and where it can be restarted",
    },
    "Automation": {
        "plan": "carry out a file of instructions: run, move, wait, repeat",
        "policy": "rules by which jobs move",
        "batch": "run a list of programs on all nodes, with or without migration",
        "slurm": "programs in jobs of Slurm move between partitions",
    },
    "Controller": {
        "serve": "manage jobs for several users: a controller",
        "token": "who may use the controller of this host",
        "context": "the controllers that you know, for --controller",
    },
    "Nodes": {
        "nodes": "list, add, check and remove nodes",
        "doctor": "what this machine and the nodes lack",
        "lab": "two virtual machines to migrate between",
    },
    "Step by step": {
        "pause": "stop a job where its state is known on both ISAs",
        "dump": "write a paused job's image",
        "transform": "turn a dumped image into one for the other ISA",
        "ship": "send a transformed job's image and files to another node",
        "restore": "restore a transformed job on another node, stopped",
        "resume": "let a job go on",
        "show": "look into an image or a job",
    },
    "Programs": {
        "check": "what of a program can be migrated",
        "stress": "migrate a program onto itself, thousands of times, and compare",
        "rehearse": "run a program with and without migrations and compare",
        "example": "fetch, compile and rehearse software that others wrote",
        "bench": "measure migrations",
    },
    "Set-up": {
        "demo": "watch a computation move between two ISAs",
        "setup": "build the toolchain and the lab's guests",
    },
}
COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}


REMOTE = frozenset(
    "run migrate ps top logs wait kill pause dump transform ship restore resume recover checkpoint restart history"
    " nodes policy attach show inspect plan batch".split()
)
"""What a controller can be asked for."""
_LOCAL_PROGRAMS = "it works with programs and tools of this host"
HERE = {
    "slurm": "it is used where Slurm's own commands are",
    "serve": "it is the controller",
    "token": "it works with the records of the controller on its own host",
    "context": "it is about your own list of controllers",
    "doctor": "it looks at this machine",
    "lab": "the virtual machines are this host's",
    "setup": "it builds on this machine",
    "demo": "it works with the virtual machines of this host",
    "check": _LOCAL_PROGRAMS,
    "stress": _LOCAL_PROGRAMS,
    "rehearse": "it compares all that a program leaves, which a controller does not hand out",
    "example": _LOCAL_PROGRAMS,
    "bench": _LOCAL_PROGRAMS,
}
"""What works on this host only, and why: that is said to who names a controller with the command."""
OF_JOBS = frozenset({"slurm"})
"""Of these, what would work with other jobs than a user means who has chosen a controller for all commands."""


class Commands(TyperGroup):
    """Imports a command's module when the command is used; what lists them all knows them by the table."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table, which is the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command's own Typer application."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"transproc.cli.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        command.short_help = COMMANDS[cmd_name]
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table, as help shows it."""
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(max(map(len, COMMANDS))), text) for name, text in group.items()]
                )

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The table, as a shell completes it; options come from the base."""
        from typer._click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=COMMANDS[name]) for name in COMMANDS if name.startswith(incomplete)]


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Show no progress."),
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
    controller: str | None = typer.Option(
        None, "--controller", metavar="NAME|URL", help="Let this controller do it ('transproc context')."
    ),
) -> None:
    """Live migration of native Linux processes between x86_64 and aarch64.

    \b
    Start here:
      transproc doctor                            what is missing on this machine
      transproc lab up                            two virtual machines, named x86 and arm
      transproc-cc -O2 prog.c -o prog             compile for both
      transproc run --node x86 --name p -- ./prog
      transproc migrate p --to arm
      transproc logs -f p
    """
    log.quiet = quiet
    common.controller = controller
    if (command := context.invoked_subcommand) in HERE and (controller or command in OF_JOBS):
        common.expect_here(command, HERE[command])
    if version:
        typer.echo(f"transproc {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())

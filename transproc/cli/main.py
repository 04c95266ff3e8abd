"""`transproc`: the command line. The only place that prints results, errors, and exits.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 the program or its state is not supported. `wait` and `run --wait` pass
the program's own status on.

Each command is a module of this package that holds a Typer application named `app`; it is imported when it is used.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from transproc import __version__, log
from transproc.errors import TransprocError

COMMANDS = {
    "run": "start a program as a job on a node",
    "migrate": "move a running job to another node",
    "ps": "list the jobs",
    "logs": "show what a job printed",
    "attach": "connect this terminal with a job's",
    "wait": "wait for a job's end",
    "kill": "end a job",
    "pause": "stop a job where its state is known on both ISAs",
    "dump": "write a paused job's image",
    "transform": "turn a dumped image into one for the other ISA",
    "restore": "restore a transformed job on another node, stopped",
    "resume": "let a job go on",
    "show": "look into an image or a job",
    "check": "what of a program can be migrated",
    "stress": "migrate a program onto itself, thousands of times, and compare",
    "rehearse": "run a program with and without migrations and compare",
    "example": "fetch, compile and rehearse software that others wrote",
    "bench": "measure migrations",
    "demo": "watch a computation move between two ISAs",
    "lab": "two virtual machines to migrate between",
    "doctor": "what this machine and the nodes lack",
    "setup": "build the toolchain and the lab's guests",
}


class Commands(TyperGroup):
    """Imports a command's module when the command is used."""

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
    if version:
        typer.echo(f"transproc {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(argv: list[str] | None = None) -> None:
    """Entry point: runs a command, prints an error once, exits. Being ended is like Ctrl-C: things are put in order first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: list[str]) -> int:
    """Runs a command; returns the exit status."""
    command = typer.main.get_command(app)
    try:
        status = command.main(args=argv, prog_name="transproc", standalone_mode=False)
    except TransprocError as error:
        return _fail(error.message, error.hint, error.exit_status)
    except typer.TyperException as error:
        return _fail(_usage(error), "'transproc COMMAND --help' shows the usage with examples", 2)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", None, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status if isinstance(status, int) else 0


def _usage(error: Exception) -> str:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return (message[:1].lower() + message[1:]).rstrip(".")


def _fail(message: str, hint: str | None, status: int) -> int:
    sys.stdout.flush()
    print(f"transproc: error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return status

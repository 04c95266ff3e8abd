# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc`: the command line. The only place that prints results, errors, and exits.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 the program or its state is not supported. `wait` and `run --wait` pass
the program's own status on.

What a command needs is imported when it is used: the command line itself is imported only if `--version` is not all that is
asked.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys

from transproc import __version__
from transproc.cli import ahead
from transproc.errors import TransprocError

OBJECTS = 100_000
"""Between two searches for garbage: what is imported is none, and a tenth of a command's time went into that."""


def main(argv: list[str] | None = None) -> None:
    """Entry point: runs a command, prints an error once, exits. Being ended is like Ctrl-C: things are put in order first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    gc.set_threshold(OBJECTS)
    status = 1
    atexit.register(lambda: _leave(status))  # the first of all, so the last that is called
    try:
        status = run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # before there was a command, or while it is taken apart
        status = _interrupted()
    except SystemExit as end:  # of who writes completions
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.exit(status)


def _leave(status: int) -> None:
    """The end of the process is the end of what it holds: to take that apart takes a twentieth of a command's time."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or 1
    os._exit(status)


def run(argv: list[str]) -> int:
    """Runs a command; returns the exit status."""
    if argv == ["--version"]:
        print(f"transproc {__version__}")
        return 0
    ahead.begin(argv)
    import typer

    from transproc.cli.commands import app

    command = typer.main.get_command(app)
    try:
        status = command.main(args=argv, prog_name="transproc", standalone_mode=False)
    except TransprocError as error:
        return _fail(error.message, error.hint, error.exit_status)
    except typer.TyperException as error:
        message = _usage(error)
        return _fail(
            message, _meant(message) or "'transproc COMMAND --help' shows the usage with examples", 2
        )
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status if isinstance(status, int) else 0


def _interrupted() -> int:
    return _fail("interrupted", None, 130)


def _usage(error: Exception) -> str:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return (message[:1].lower() + message[1:]).rstrip(".")


def _meant(message: str) -> str | None:
    """A hint for a command that is misspelt."""
    word = message.removeprefix("no such command '")
    if word == message:
        return None
    from difflib import get_close_matches

    from transproc.cli.commands import COMMANDS

    near = get_close_matches(word.partition("'")[0], COMMANDS, n=1)
    return f"did you mean 'transproc {near[0]}'?" if near else None


def _fail(message: str, hint: str | None, status: int) -> int:
    sys.stdout.flush()
    print(f"transproc: error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return status

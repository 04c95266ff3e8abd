# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Options and arguments that several commands have."""

from __future__ import annotations

import typer

from transproc.cli import completing

NAME = typer.Argument(
    metavar="NAME", help="The job's name.", show_default=False, autocompletion=completing.jobs
)
JSON = typer.Option("--json", help="Print the result as JSON.")
NODE = typer.Option(
    "--node", help="A node: x86, arm, local, or one of nodes.toml.", autocompletion=completing.nodes
)
NODES = typer.Option("--nodes", metavar="A,B", help="Between these two; it starts on the first.")
PROGRAM = typer.Argument(metavar="PROG", help="As transproc-cc wrote it.", show_default=False)
ARGUMENTS = typer.Argument(metavar="ARG", help="Its arguments.", show_default=False)
STDIN = typer.Option("--stdin", metavar="FILE", help="Its standard input [default: empty].")
FILES = typer.Option("--files", metavar="DIR", help="Copied: its working directory [default: empty].")
ENV = typer.Option("--env", metavar="NAME=VALUE", help="May be repeated.")
PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""For commands whose last argument is another command with options of its own."""

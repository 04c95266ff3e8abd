# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Man pages and shell completions, made of what `--help` says: `python -m transproc.cli.manual DIRECTORY`.

Packaging calls it; DIRECTORY becomes `share/` of the installation. Pages are troff with the macros of man(7).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from transproc import __version__
from transproc.cli.commands import COMMANDS, GROUPS, app
from transproc.toolchain import driver

COMPLETIONS = {
    "bash": "bash-completion/completions/transproc",
    "zsh": "zsh/site-functions/_transproc",
    "fish": "fish/vendor_completions.d/transproc.fish",
}
"""Where each shell looks, below `share/`."""


def write(share: Path) -> None:
    """Writes all pages and completions below `share`."""
    files = {f"man/man1/{name}.1": text for name, text in pages()}
    for shell, place in COMPLETIONS.items():
        script = get_completion_script(prog_name="transproc", complete_var="_TRANSPROC_COMPLETE", shell=shell)
        files[place] = script + "\n"
    for place, text in files.items():
        path = share / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of each page."""
    group: Any = typer.main.get_command(app)
    context = group.context_class(group, info_name="transproc")
    commands = {name: group.get_command(context, name) for name in COMMANDS}
    lines = [*_head("transproc", group.help), *_options(group, context), ".SH COMMANDS"]
    for title, listed in GROUPS.items():
        lines.append(f".SS {_escaped(title)}")
        for name, text in listed.items():
            lines += [".TP", rf"\fBtransproc\-{name}\fR(1)", _escaped(text)]
    lines += [*_STATUS, *_FILES, *_see("transproc-cc")]
    yield "transproc", _page(lines)
    for name, command in commands.items():
        yield f"transproc-{name}", _page(_command(f"transproc {name}", COMMANDS[name], command, context))
    text = driver.__doc__ or ""
    summary, _, rest = text.partition("\n\n")
    title = summary.partition(": ")[2]
    lines = [*_head("transproc-cc", f"{title}\n\n\b\n{rest}"), *_see("transproc")]
    yield "transproc-cc", _page(lines)


def _command(name: str, summary: str, command: Any, parent: Any) -> list[str]:
    context = command.context_class(command, info_name=name.rsplit(maxsplit=1)[-1], parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [*_head(name, command.help, summary, usage), *_options(command, context)]
    for sub in getattr(command, "commands", {}).values():
        inner = sub.context_class(sub, info_name=sub.name, parent=context)
        pieces = " ".join(sub.collect_usage_pieces(inner))
        lines += [f".SS {_escaped(f'{name} {sub.name} {pieces}')}", *_paragraphs(sub.help)]
        lines += _options(sub, inner)[1:]
    return [*lines, *_STATUS, *_see("transproc")]


def _head(
    name: str, text: str | None, summary: str | None = None, usage: str = "[OPTION]... ..."
) -> list[str]:
    first, _, rest = (text or "").partition("\n")
    return [
        ".SH NAME",
        rf"{_escaped(name.replace(' ', '-'))} \- {_escaped((summary or first).rstrip('.'))}",
        ".SH SYNOPSIS",
        rf"\fB{_escaped(name)}\fR {_escaped(usage)}",
        ".SH DESCRIPTION",
        *_paragraphs(text if summary else rest),
    ]


def _paragraphs(text: str | None) -> list[str]:
    r"""Help as click has it: paragraphs to fill, and blocks after a line `\b` that stay as they are."""
    lines = []
    for block in re.split(r"\n\s*\n", (text or "").strip("\n")):
        if block.lstrip().startswith("\b"):
            kept = block.partition("\n")[2]
            lines += [".PP", ".nf", *map(_escaped, kept.splitlines()), ".fi"]
        elif block.startswith("    "):
            lines += [".PP", ".nf", *map(_escaped, block.splitlines()), ".fi"]
        else:
            lines += [".PP", *map(_escaped, block.split("\n"))]
    return lines


def _options(command: Any, context: Any) -> list[str]:
    records = [record for one in command.get_params(context) if (record := one.get_help_record(context))]
    lines = [".SH OPTIONS"] if records else []
    for names, text in records:
        lines += [".TP", rf"\fB{_escaped(names)}\fR", _escaped(text) or r"\&"]
    return lines


_STATUS = [
    ".SH EXIT STATUS",
    "0 done, 1 failed, 2 wrong usage, 3 the program or its state is not supported.",
    r"\fBwait\fR and \fBrun \-\-wait\fR pass the program's own status on.",
]
_FILES = [
    ".SH ENVIRONMENT",
    *(
        ".TP",
        r"\fBTRANSPROC_HOME\fR",
        "What can be made again: toolchains, downloads, the lab [~/.cache/transproc].",
    ),
    *(".TP", r"\fBTRANSPROC_STATE\fR", "The jobs' records [~/.local/state/transproc]."),
    *(".TP", r"\fBTRANSPROC_LAB\fR", "What the lab keeps of its running machines [lab/ in the cache]."),
    *(".TP", r"\fBTRANSPROC_NODES\fR", "The file that lists nodes of your own."),
]


def _see(*names: str) -> list[str]:
    return [".SH SEE ALSO", ", ".join(rf"\fB{_escaped(name)}\fR(1)" for name in names)]


def _page(lines: list[str]) -> str:
    name = re.sub(r"\\(.)", r"\1", lines[1].split(r" \- ")[0])
    return "\n".join([f'.TH {name.upper()} 1 "" "transproc {__version__}"', *lines, ""])


def _escaped(text: str) -> str:
    r"""Text as troff shows it: a dash is a minus sign, and nothing at a line's start is a request."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    write(Path(sys.argv[1]))

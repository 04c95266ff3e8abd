# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc context`: the controllers that a user knows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.errors import TransprocError

app = typer.Typer(add_completion=False, rich_markup_mode=None)
NAME = typer.Argument(metavar="NAME", help="What you call it.", show_default=False)
HERE = "here"
"""The name for no controller."""


@app.callback()
def context() -> None:
    """The controllers that you know: 'transproc --controller NAME COMMAND' lets one of them do it.

    \b
    Examples:
      transproc context add lab https://lab.example:8421 --token lab.token
      transproc --controller lab ps
      transproc context use lab
    """


@app.command()
def add(
    name: Annotated[str, NAME],
    url: Annotated[str, typer.Argument(metavar="URL", help="As in https://host:8421.", show_default=False)],
    *,
    token: Annotated[
        Path | None,
        typer.Option("--token", metavar="FILE", help="With your token [default: standard input]."),
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", metavar="SHA256", help="As 'transproc serve' printed it.")
    ] = None,
    authority: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Whose certificates are accepted, in PEM.")
    ] = None,
    system: Annotated[
        bool, typer.Option("--public", help="Its certificate is one that this system's authorities signed.")
    ] = False,
) -> None:
    """Makes a controller known, with your token, and accepts the certificate that it shows once you have compared it.

    \b
    Example:
      transproc context add lab https://lab.example:8421 --token lab.token
    """
    from transproc.controller import contexts
    from transproc.controller.client import Client

    contexts.check_name(name)
    if name == HERE:
        raise TransprocError(f"{HERE} is this host's name")
    url = contexts.checked_url(url)
    certificate = ""
    if authority is not None:
        certificate = authority.read_text()
    elif not system:
        certificate = contexts.shown_certificate(url)
        _accept(url, contexts.fingerprint(certificate), fingerprint)
    if token is None and sys.stdin.isatty():
        text = typer.prompt("Your token", hide_input=True)
    else:
        text = sys.stdin.readline() if token is None else token.read_text()
    made = contexts.Controller(url, text.strip(), certificate)
    who = Client(made).get("/me")
    current, known = contexts.load()
    contexts.save(current, {**known, name: made})
    typer.echo(f"{name}: {url}, as {who['name']} ({who['role']})")


def _accept(url: str, found: str, expected: str | None) -> None:
    """The fingerprint is the one that the user has, or he says that it is."""
    if expected is not None:
        if found.removeprefix("sha256:") != expected.lower().removeprefix("sha256:"):
            raise TransprocError(f"controller {url}: its certificate is {found}, expected {expected}")
        return
    typer.echo(f"{url} shows the certificate {found}", err=True)
    if not sys.stdin.isatty():
        raise TransprocError(
            "nobody is here to compare it with what 'transproc serve' printed",
            hint=f"--fingerprint {found}, if it is that",
        )
    if not typer.confirm("Is that what 'transproc serve' printed?", err=True):
        raise TransprocError(
            f"controller {url}: its certificate is not the one that is expected: it is not listed"
        )


@app.command("list")
def show(*, as_json: Annotated[bool, options.JSON] = False) -> None:
    """Lists them; a star marks the one that is used if nothing else is said.

    \b
    Example:
      transproc context list
    """
    from transproc.controller import contexts

    current, known = contexts.load()
    if as_json:
        common.show_json(
            [{"name": name, "url": one.url, "current": name == current} for name, one in known.items()]
        )
        return
    rows = [("*" if name == current else "", name, one.url) for name, one in known.items()]
    common.table([("*" if current is None else "", HERE, "no controller: this host"), *rows])


@app.command()
def use(name: Annotated[str, NAME]) -> None:
    """From now on commands go there without --controller; 'here' is this host again.

    \b
    Example:
      transproc context use lab
    """
    from transproc.controller import contexts

    _, known = contexts.load()
    if name != HERE and name not in known:
        raise TransprocError(f"context {name}: there is none", hint="'transproc context list' shows them")
    contexts.save(None if name == HERE else name, known)


@app.command()
def remove(name: Annotated[str, NAME]) -> None:
    """Forgets a controller, and your token there.

    \b
    Example:
      transproc context remove lab
    """
    from transproc.controller import contexts

    current, known = contexts.load()
    if name not in known:
        raise TransprocError(f"context {name}: there is none", hint="'transproc context list' shows them")
    del known[name]
    contexts.save(None if current == name else current, known)

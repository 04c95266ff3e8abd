# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc token`: who may use the controller of this host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from transproc.cli import common, options

if TYPE_CHECKING:
    from transproc.controller.tokens import Tokens

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
NAME = typer.Argument(metavar="NAME", help="Whose it is.", show_default=False)


@app.callback()
def token() -> None:
    """Who may use the controller of this host ('transproc serve'): each user or program has a token of its own.

    \b
    Roles: view (see), operate (and start, move and end jobs), admin (and change nodes and policies).

    \b
    Example:
      transproc token add alice --role operate --expires 90d
    """


@app.command()
def add(
    name: Annotated[str, NAME],
    *,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="view, operate or admin.")] = "view",
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="Such as 90d, 12h, 30m [default: never].")
    ] = None,
) -> None:
    """Makes a token and prints it, which happens once: only a digest of it is kept.

    \b
    Example:
      transproc token add alice --role operate > alice.token
    """
    from transproc.controller.tokens import Role

    if role not in list(Role):
        raise typer.BadParameter(f"{role}: expected {', '.join(Role)}", param_hint="'--role'")
    typer.echo(
        _tokens().add(name, Role(role), None if expires is None else common.duration(expires, "'--expires'"))
    )


@app.command("list")
def show(*, as_json: Annotated[bool, options.JSON] = False) -> None:
    """Lists the tokens, without their secrets.

    \b
    Example:
      transproc token list
    """
    found = _tokens().all()
    if as_json:
        common.show_json([vars(one) for one in found])
        return
    rows = [
        (one.name, one.role, _date(one.created), _date(one.expires, "never"), _date(one.used, "never"))
        for one in found
    ]
    common.table(rows, ("NAME", "ROLE", "MADE", "EXPIRES", "USED"))


@app.command()
def remove(name: Annotated[str, NAME]) -> None:
    """From now on the token is refused, also in sessions of browsers.

    \b
    Example:
      transproc token remove alice
    """
    _tokens().remove(name)


def _tokens() -> Tokens:
    from transproc.controller.tokens import Tokens

    return Tokens(common.host().store.database)


def _date(seconds: float | None, without: str = "") -> str:
    return without if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))

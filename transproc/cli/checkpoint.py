# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc checkpoint`: a job is written to a directory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from transproc.cli import common
from transproc.errors import TransprocError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def checkpoint(
    name: Annotated[str, common.NAME],
    *,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Where it is written [default: in the state directory]."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            "--every", metavar="TIME", help="Again and again, as in 90s, 10m, 6h, until the job ends."
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", min=1, help="Remove all but the newest N of this job there."),
    ] = None,
    end: Annotated[
        bool, typer.Option("--end", help="The job does not go on: it ends when the checkpoint is written.")
    ] = False,
    files: Annotated[
        str, typer.Option("--files", metavar="all|none", help="Of the job's working directory.")
    ] = "all",
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="PATTERN", help="Files to leave out, such as 'cache' or '*.tmp'."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="WHERE", help="Not before this function or address.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For the pause; then the job goes on.")
    ] = 10.0,
    tcp_close: Annotated[
        bool, typer.Option("--tcp-close", help="Its TCP connections are closed when it is restarted.")
    ] = False,
    as_json: Annotated[bool, common.JSON] = False,
) -> None:
    """Writes a job to a directory, from which 'transproc restart' starts it again, as often as wanted; the job goes on.

    The checkpoint is complete or absent: DIR/NAME-TIME-NUMBER, with memory, files, both binaries and checksums. The job stands
    still while its memory and files are copied on its node.

    \b
    Examples:
      transproc checkpoint nbody
      transproc checkpoint nbody --every 10m --keep 3 --to /backup
      transproc checkpoint nbody --end --exclude cache --exclude '*.tmp'
    """
    if files not in ("all", "none"):
        raise typer.BadParameter(f"{files}: expected all or none", param_hint="'--files'")
    seconds = None if every is None else duration(every)
    from transproc.controller.requests import Checkpoint
    from transproc.controller.requests.start import described

    where = None if to is None else str(to if common.remote() else to.absolute())
    request = Checkpoint(
        name,
        where,
        keep=keep,
        end=end,
        files=files == "all",
        exclude=exclude or [],
        at=at,
        timeout=timeout,
        tcp_close=tcp_close,
    )
    if seconds is None or end:
        _show(common.perform(request), as_json)
        return
    if common.remote():
        raise TransprocError(
            "--every works on this host only", hint="let cron or a systemd timer ask the controller each time"
        )
    from transproc.cluster import operations

    def failed(error: TransprocError) -> None:
        typer.echo(f"transproc: {error.message}; it is tried again", err=True)

    for found in operations.checkpoint_every(
        common.context(), name, seconds, to, failed=failed, **request.how()
    ):
        _show(described(found), as_json)


def duration(text: str) -> float:
    """Seconds, of what a user has typed: 90s, 10m, 6h, 1d."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None or not float(match[1]):
        raise typer.BadParameter(f"{text}: expected a time, as in 90s, 10m, 6h", param_hint="'--every'")
    return float(match[1]) * _UNITS[match[2]]


def _show(found: dict[str, Any], as_json: bool) -> None:
    common.show_json(found) if as_json else typer.echo(found["path"])


app = common.application(checkpoint)

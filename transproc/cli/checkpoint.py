# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc checkpoint`: a job is written to a directory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transproc import log
from transproc.cli import common, options
from transproc.errors import MissingError, TransprocError

if TYPE_CHECKING:
    from transproc.controller.client import Client
    from transproc.controller.requests.start import Checkpoint

INTERRUPTED = 130
"""Exit status of what Ctrl-C has called off."""


def checkpoint(
    name: Annotated[str, options.NAME],
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
    as_json: Annotated[bool, options.JSON] = False,
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
    seconds = None if every is None else common.duration(every, "'--every'")
    from transproc.controller.requests.start import Checkpoint, described

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

    def failed(error: TransprocError) -> None:
        typer.echo(f"transproc: {error.message}; it is tried again", err=True)

    if (there := common.remote()) is not None:
        for made in _again(there, request, seconds, failed):
            _show(made, as_json)
        return
    from transproc.cluster import operations

    for found in operations.checkpoint_every(
        common.context(), name, seconds, to, failed=failed, **request.how()
    ):
        _show(described(found), as_json)


def _again(
    there: Client, request: Checkpoint, seconds: float, failed: Callable[[TransprocError], None]
) -> Iterator[dict[str, Any]]:
    """As `operations.checkpoint_every`, of a controller; it may be away for a while."""
    while True:
        due = time.monotonic() + seconds
        try:
            yield there.perform(request, log)
        except TransprocError as error:
            if error.exit_status == INTERRUPTED:
                raise KeyboardInterrupt from error
            if _has_ended(there, request.name):
                return
            failed(error)
        time.sleep(max(0.0, due - time.monotonic()))
        if _has_ended(there, request.name):
            return


def _has_ended(there: Client, name: str) -> bool:
    """Also one that is not there any more. A controller that does not answer says nothing."""
    from transproc.controller.client import quoted
    from transproc.controller.patience import LostError

    try:
        return bool(there.get(f"/jobs/{quoted(name)}", ask="true")["state"] == "exited")
    except MissingError:
        return True
    except LostError:
        return False


def _show(found: dict[str, Any], as_json: bool) -> None:
    common.show_json(found) if as_json else typer.echo(found["path"])


app = common.application(checkpoint)

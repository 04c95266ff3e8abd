# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc kill`: ends a job."""

from __future__ import annotations

from typing import Annotated

import typer

from transproc.cli import common, options


def kill(
    name: Annotated[str, options.NAME],
    remove: Annotated[
        bool, typer.Option("--remove", help="Forget the job, its output and files as well.")
    ] = False,
) -> None:
    """Ends a job with SIGKILL, and every stopped copy that a migration left behind.

    A node that does not answer is named and skipped with --remove; without it that is an error.

    \b
    Examples:
      transproc kill nbody
      transproc kill --remove nbody
    """
    from transproc.controller.requests.jobs import Kill

    common.perform(Kill(name, remove=remove))


app = common.application(kill)

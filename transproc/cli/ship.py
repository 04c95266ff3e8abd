# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc ship`: what a transformed job needs, on another node."""

from __future__ import annotations

from typing import Annotated

from transproc.cli import common, options


def ship(
    name: Annotated[str, options.NAME],
    node: Annotated[str, options.NODE],
    *,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Sends a transformed job's image, its program and its files to another node. 'transproc restore' does so by itself.

    The job stays stopped where it is. 'transproc resume NAME' undoes it: what was sent is removed, and the job goes on.

    \b
    Example:
      transproc ship nbody --node arm && transproc restore nbody --node arm
    """
    from transproc.controller.requests.move import Ship

    job = common.perform(Ship(name, node))
    if as_json:
        common.show_json(job)


app = common.application(ship)

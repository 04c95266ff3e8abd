# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc restore`: a transformed job on another node, stopped."""

from __future__ import annotations

from typing import Annotated

from transproc.cli import common, options


def restore(
    name: Annotated[str, options.NAME],
    node: Annotated[str, options.NODE],
    *,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Restores a transformed job on another node. Both copies are stopped then.

    'transproc resume NAME' lets the new one go on and ends the old one; 'transproc resume NAME --source' undoes it: the old one
    goes on, the new one is removed.

    \b
    Example:
      transproc restore nbody --node arm && transproc resume nbody
    """
    from transproc.controller.requests.move import Restore

    job = common.perform(Restore(name, node))
    if as_json:
        common.show_json(job)


app = common.application(restore)

"""`transproc restore`: a transformed job on another node, stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from transproc import log
from transproc.cli import common
from transproc.cluster.job import State
from transproc.cluster.move import Move
from transproc.cluster.store import JobStore


def restore(
    name: Annotated[str, common.NAME],
    node: Annotated[str, common.NODE],
) -> None:
    """Restores a transformed job on another node. Both copies are stopped then.

    'transproc resume NAME' lets the new one go on and ends the old one; 'transproc resume NAME --source' undoes it: the old one
    goes on, the new one is removed.

    \b
    Example:
      transproc restore nbody --node arm && transproc resume nbody
    """
    store = JobStore()
    with store.lock(name):
        job = store.load(name)
        common.expect(job, State.TRANSFORMED)
        move = common.move_of(store, job, node)
        try:
            for step_name, action in _steps(move):
                with log.step(step_name) as step:
                    step.detail = action()
        except BaseException:
            move.abandon_target(never_ran=True)
            move.keep_paused(State.TRANSFORMED)
            raise


def _steps(move: Move) -> list[tuple[str, Callable[[], str]]]:
    return [
        ("preflight", move.preflight),
        ("prepare", move.prepare),
        ("ship", move.ship),
        ("restore", move.restore),
        ("verify", move.verify),
    ]


app = common.application(restore)

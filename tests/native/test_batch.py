# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A batch on two real machines of this ISA, one of which is cheaper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes
from transproc.automation.batch import model, planning, report
from transproc.automation.batch.decide import Estimates
from transproc.automation.batch.runner import Report, Runner
from transproc.automation.plans import reading
from transproc.cluster import operations
from transproc.cluster.events import Silent, Token
from transproc.cluster.job import State
from transproc.cluster.store import JobStore
from transproc.host import Host

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

BATCH = """
batch = "b"
goal = "cost"
[nodes]
na = {{ slots = 1, price = 10 }}
nb = {{ slots = 1, price = 1 }}
[[program]]
name = "short"
program = "{program}"
arguments = ["100", "5000"]
seconds = {{ na = 0.5, nb = 0.5 }}
[[program]]
name = "long"
program = "{program}"
arguments = ["{lines}", "5000", "1", "go"]
seconds = {{ na = 3000, nb = 3000 }}
"""


@pytest.fixture
def host(machines: NativeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("TRANSPROC_NODES", str(machines.configuration))
    made = Host(JobStore(tmp_path / "state"))
    yield made
    for name in made.store.names():
        operations.discard(made.context(Silent(), Token()), name)
    made.close()


class Finishing(Silent):
    """Lets the long run come to its end as soon as a note that is not of a start has this word."""

    def __init__(self, host: Host, word: str) -> None:
        self._host, self._word = host, word

    def note(self, message: str) -> None:
        if self._word in message and " starts " not in message:
            place = self._host.place(self._host.store.load("b-long-2"))
            place.node.put_bytes(b"", f"{place.data}/work/go")


def carry_out(host: Host, program: Path, *, migrate: bool, output: Path | None = None) -> Report:
    batch = model.read(reading.parse(Path("b.toml"), BATCH.format(program=program, lines=600)))
    estimates = Estimates({entry.name: entry.seconds for entry in batch.entries})
    context = host.context(Finishing(host, "moves" if migrate else "b-short-1"), Token())
    return Runner(
        batch, planning.seats(batch, host), context, estimates, migrate=migrate, output=output
    ).run()


def test_what_runs_moves_to_the_cheaper_node(host: Host, counter: Path, tmp_path: Path) -> None:
    stayed = carry_out(host, counter, migrate=False)
    moved = carry_out(host, counter, migrate=True, output=tmp_path)
    assert [run.exit for one in (stayed, moved) for run in one.runs] == ["status 0"] * 4
    assert (stayed.moves, moved.moves) == (0, 1)
    assert [stay.node for stay in moved.runs[1].stays] == ["na", "nb"]
    rates = {seat.name: seat.rate for seat in moved.seats}
    assert moved.cost < sum(rates[run.stays[0].node] * run.seconds for run in moved.runs), (
        "it cost less than staying"
    )
    assert report.differing([stayed, moved]) == []
    assert (tmp_path / "b-long-2.out").read_text().startswith("0\n1\n2\n")
    assert host.store.names() == []
    assert report.as_dict(moved)["per_hour"] > 0 and "moved here" in report.svg("b", [stayed, moved])


def test_called_off(host: Host, counter: Path) -> None:
    """Nothing more is started, and what runs goes on."""
    token = Token()
    batch = model.read(
        reading.parse(Path("b.toml"), BATCH.format(program=counter, lines=4000) + "repeat = 3\n")
    )
    seats = planning.seats(batch, host)

    class Watching(Silent):
        def note(self, message: str) -> None:
            if "b-long-2 starts" in message:
                token.cancel()

    context = host.context(Watching(), token)
    made = Runner(batch, seats, context, Estimates({}), migrate=True).run()
    assert made.interrupted
    job = host.store.load("b-long-2")
    assert job.state is State.RUNNING and len(made.runs) == 4
    assert "b-long-4" not in host.store.names()

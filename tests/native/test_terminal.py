# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A conversation with a job of a controller, by a network that breaks, while the job moves and the controller is started anew."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.served import Served
from tests.native.wire import Wire
from tests.seat import Seat

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(__file__).parents[1] / "lab" / "dialogue.c"
    return compiled(source, tmp_path_factory.mktemp("dialogue"))


@pytest.fixture
def wire(served: Served) -> Iterator[Wire]:
    """The network between the user and the controller."""
    made = Wire(served.port)
    path = served.home / "contexts.json"
    path.write_text(path.read_text().replace(f":{served.port}", f":{made.port}"))
    yield made
    made.close()


def test_a_person_at_the_terminal_of_a_controllers_job(served: Served, wire: Wire, dialogue: Path) -> None:
    words = ["--controller", "c", "run", "--tty", "--wait", "--node", "na", "--name", "talk", "--"]
    seat = Seat(*words, str(dialogue), env=served.user)
    seat.sees("parent [ready] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    seat.types("one\r", sees="one\r\nparent [one] 30x100 echo 1 front 1 leader 0 interrupts 0\r\n")
    served("migrate", "talk", "--to", "nb")
    seat.types("two\r", sees="two\r\nparent [two] 30x100")
    with wire.cut():
        seat.writes("three\r")
        time.sleep(0.5)
    seat.sees("three\r\nparent [three] 30x100")
    with wire.stalled():
        seat.writes("four\r")
        time.sleep(0.5)
    seat.sees("four\r\nparent [four] 30x100")
    served.end()
    seat.writes("five\r")
    served.start()
    seat.sees("five\r\nparent [five] 30x100")
    seat.resize(24, 80)
    seat.writes("six\r")
    seat.sees("parent [six]")
    seat.types("seven\r", sees="parent [seven] 24x80")
    for number in ("one", "two", "three", "four", "five", "six", "seven"):
        assert seat.shown.count(f"[{number}]") == 1, seat.shown
    seat.types("\x1d", sees="talk goes on")
    assert seat.status() == 0
    second = Seat("--controller", "c", "attach", "--all", "talk", env=served.user)
    second.sees("[seven]")
    assert second.shown.count("[one]") == 1
    second.types("end\r", sees="end, resized\r\n")
    assert second.status() == 7


def test_who_may_only_look_has_no_keyboard(served: Served, dialogue: Path) -> None:
    served("run", "--tty", "--node", "na", "--name", "talk", "--", dialogue)
    path = served.home / "contexts.json"
    known = json.loads(path.read_text())
    known["contexts"]["c"]["token"] = served.here("token", "add", "viewer", "--role", "view").strip()
    path.write_text(json.dumps(known))
    done = served("attach", "talk", check=False)
    assert done.returncode == 1 and "expected operate" in done.stderr

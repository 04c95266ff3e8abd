# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A node may answer anything: that is an error, never a traceback, nor a path or a terminal's commands of its choice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

import pytest

from transproc.cluster.base import Node
from transproc.cluster.job import Job
from transproc.cluster.place import PauseRequest, Place
from transproc.cluster.session import Result
from transproc.errors import CommandError, NodeError, PauseError, TransprocError
from transproc.process.launch import Window
from transproc.process.tool import Tool

ANSWERS: Sequence[bytes] = (
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"{}",
    b'{"ok": 1}',
    b'{"ok": true}',
    b'{"ok": false}',
    b'{"ok": false, "error": [], "message": {}}',
    b'{"ok": true, "pid": "x", "pids": 7, "unnamed": null, "threads": [{"tid": []}], "processes": [[]]}',
    b'{"ok": true, "pid": 1, "milliseconds": 1, "steps": 0, "watched": 0, "apart": false, "threads": [{"pid": 1, "more": 2}]}',
    b'{"ok": false, "error": "timeout", "message": "m", "threads": [{"pc": "x"}]}',
    b'{"ok": false, "error": "timeout", "message": "m", "pid": [], "tid": "x"}',
    b'{"ok": false, "error": "gone", "message": "\\u001b]0;evil\\u0007"}',
    b"[" * 100_000,
    b"free=x\nmemory=\nids=-\n",
    b"state=R\ntree={}\n== process x\n",
    b'state=R\ntree={"ok": true, "processes": 5}\n== process 7\n/x\n== status\nSeccomp:\tx\nRssAnon:\n',
    b"status 7\n",
    b"status 7; rm -rf /\n",
    b"1 2 3 x",
)


class HostileNode(Node):
    """Gives one answer to everything."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("evil")
        self.isa = "x86_64"
        self.gnu_tar = True
        self.answer = answer

    def run(self, argv: Sequence[str | PurePosixPath], **options: Any) -> Result:
        return Result([str(word) for word in argv], 0, self.answer, b"")

    def command(self, script: str, *, leads: bool = False) -> list[str]:
        """Of a node that says that it has an ISA, whatever it is asked."""
        return ["printf", "== transproc %s\\n", os.fsdecode(self.answer)]

    def explain(self, booted: bool, errors: str) -> NodeError:
        return NodeError(self.name, errors)

    def close(self) -> None:
        """There is no connection."""


def place_of(answer: bytes) -> Place:
    place = Place(HostileNode(answer), Job("j", "evil", ["prog"], pid=7))
    place.__dict__["tool"] = Tool(place.node, "/tool")
    return place


ASKED: dict[str, Callable[[Place], object]] = {
    "room": lambda place: place.room,
    "look": lambda place: place.look(7),
    "liveness": lambda place: place.liveness(7),
    "sizes": lambda place: place.sizes(["/a", "/b"]),
    "taken": lambda place: place.taken([1, 2]),
    "found": lambda place: place.found(),
    "start": lambda place: place.start([], {}, Window()),
    "start_paused": lambda place: place.start_paused([], {}, Window(), PauseRequest()),
    "pause": lambda place: place.pause(7, PauseRequest()),
    "resume": lambda place: place.resume(7),
    "kill": lambda place: place.tool.kill(7),
    "status": lambda place: place.tool.status(7),
    "exit": lambda place: place.exit_status(),
    "restore": lambda place: place.criu_restore(),
    "criu": lambda place: place.check_criu(),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_any_answer_to_anything(asked: str, answer: bytes) -> None:
    try:
        ASKED[asked](place_of(answer))
    except TransprocError as error:
        assert error.message.translate({9: "", 10: ""}).isprintable()


def test_an_exit_status_is_one() -> None:
    assert place_of(b"status 7\n").exit_status() == "status 7"
    with pytest.raises(TransprocError, match="not an exit status"):
        place_of(b"status 7; rm -rf /\n").exit_status()


@pytest.mark.parametrize("name", ["", "../../etc", "x86_64/../../shadow", "a b", "X86"])
def test_an_isa_is_a_name(name: str) -> None:
    """It becomes a part of paths on the host."""

    class Named(HostileNode):
        isa = Node.isa  # type: ignore[assignment]

        def __init__(self) -> None:
            Node.__init__(self, "evil")
            self.answer = name.encode()

    with pytest.raises(NodeError, match="its ISA is"):
        _ = Named().isa


def test_what_errors_tell_commands_no_terminal() -> None:
    error = CommandError(["criu"], 1, "\x1b]0;evil\x07\x9b31m tab\t ok\r\n")
    assert "\\x1b]0;evil\\x07\\x9b31m tab\t ok" in error.message
    assert str(error) == error.message


def test_threads_of_a_failure_are_named() -> None:
    thread = {
        "pid": 7,
        "tid": 8,
        "state": "elsewhere",
        "pc": 16,
        "function": "f",
        "offset": 4,
        "resume": False,
        "depth": 0,
    }
    answer = {"ok": False, "error": "timeout", "message": "late", "pid": 7, "tid": 0, "threads": [thread]}
    with pytest.raises(PauseError, match=r"late; thread 8: elsewhere at 0x10 \(f\+0x4\)") as raised:
        place_of(json.dumps(answer).encode()).pause(7, PauseRequest())
    assert (raised.value.pid, raised.value.tid) == (7, 8)

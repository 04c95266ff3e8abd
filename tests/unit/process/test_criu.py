# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CRIU's command lines, versions and logs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from transproc.errors import CommandError, CriuError, UnsupportedError
from transproc.process import criu
from transproc.process.answers import Restored
from transproc.process.runner import Result
from transproc.process.tool import Tool


class Node:
    """A node that knows answers by the word that its program is called with."""

    def __init__(self, answers: dict[str, tuple[int, str]]) -> None:
        self.answers = answers
        self.calls: list[list[str]] = []

    def run(self, argv: Sequence[str], *, check: bool = True, timeout: float | None = None) -> Result:
        self.calls.append(list(argv))
        status, text = next(answer for word, answer in self.answers.items() if word in argv)
        return subprocess.CompletedProcess(argv, status, text.encode(), b"")


LOG = """\
(00.000100) Version: 4.1.1 (gitid 0)
(00.010000) Warn  (criu/log.c:1): something odd
(00.020000) Dumping task
(00.030000) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using --tcp-established option.
(00.040000) Unlock network
(00.050000) Error (criu/cr-dump.c:2111): Dumping FAILED.
"""


def test_dump_leaves_the_source_stopped() -> None:
    argv = criu.dump_argv(["criu"], 7, "/d")
    assert argv[:6] == ["criu", "dump", "--tree", "7", "--images-dir", "/d"]
    assert "--leave-stopped" in argv
    assert "--leave-stopped" not in criu.dump_argv(["criu"], 7, "/d", leave_stopped=False)


def test_options_are_the_same_on_both_sides() -> None:
    options = criu.Options(tcp_close=True)
    for argv in (
        criu.dump_argv(["criu"], 7, "/d", options=options),
        criu.restore_argv(["criu"], "/d", "/p", options=options),
    ):
        assert {"--tcp-close", "--file-locks"} <= set(argv)


def test_restore_is_detached_and_stopped() -> None:
    argv = criu.restore_argv(["ld.so", "criu"], "/d", "/p")
    assert argv[:3] == ["ld.so", "criu", "restore"]
    assert {"--restore-detached", "--leave-stopped"} <= set(argv)
    assert argv[argv.index("--pidfile") + 1] == "/p"


def test_relevant_lines() -> None:
    assert [line.split(")")[1].split()[0] for line in criu.relevant(LOG).splitlines()] == [
        "Warn",
        "Error",
        "Error",
    ]
    assert criu.relevant("a\nb\n\nc\n") == "a\nb\nc"
    assert len(criu.relevant("x Error (a): b\n" * 100).splitlines()) == 20


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Version: 4.1.1\n", (4, 1, 1)),
        ("Version: 4.2\nGitID: v4.2-3-gabc\n", (4, 2)),
        ("Version: v3.17.1", (3, 17, 1)),
    ],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert criu.parse_version(text) == version


def test_what_is_no_version() -> None:
    with pytest.raises(UnsupportedError, match="expected 'Version"):
        criu.parse_version("hello")


def test_failed_dumps_show_the_log() -> None:
    node = Node({"dump": (1, ""), "cat": (0, LOG)})
    with pytest.raises(CriuError) as caught:
        criu.Criu(node).dump(7, "/d")
    assert "tcp-established" in caught.value.stderr
    assert "Unlock" not in caught.value.stderr
    assert node.calls[-1] == ["cat", "/d/dump.log"]


class Restorer(Tool):
    """Its first restore finds a process id taken; what each is asked for is kept."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def restore(self, criu: Sequence[str], **asked: Any) -> Restored:
        self.asked.append(asked)
        if len(self.asked) == 1:
            raise CommandError(criu, 1, "")
        return Restored(7, 0)


def test_a_restore_waits_for_ids_and_is_then_the_same() -> None:
    """All that it is asked for, the network too: without that the job's connections would be lost."""
    taken = "(00.02) Error (criu/cr-restore.c:1230): Can't fork for 895: File exists\n"
    tool, node = Restorer(), Node({"cat": (0, taken)})
    given = {"state": "/s", "moves": 3, "files": None, "terminal": None, "user": None, "network": "tp7"}
    assert criu.Criu(node).restore(tool, "/d", **given).pid == 7
    assert [{name: asked[name] for name in given} for asked in tool.asked] == [given, given]
    tool = Restorer()
    with pytest.raises(CriuError):
        criu.Criu(Node({"cat": (0, LOG)})).restore(tool, "/d", **given)
    assert len(tool.asked) == 1

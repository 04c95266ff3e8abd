# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that are started ahead on a node, by our own tool, and wait for their standard input."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from transproc.cluster.local import LocalNode


@pytest.fixture
def node() -> Iterator[LocalNode]:
    with LocalNode() as found:
        yield found


def until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_its_input_comes_later(node: LocalNode) -> None:
    begun = node.begin(["cat"], timeout=60)
    assert node.run(["echo", "meanwhile"]).stdout == b"meanwhile\n"
    assert begun.waits
    done = begun.finish(b"words", timeout=10)
    assert (done.returncode, done.stdout) == (0, b"words")
    assert not begun.waits


def test_several_wait_at_once(node: LocalNode) -> None:
    found = [node.begin(["cat"], timeout=60) for _ in range(5)]
    assert [one.finish(b"%d" % n, timeout=10).stdout for n, one in enumerate(found)] == [
        b"%d" % n for n in range(5)
    ]


def test_one_that_is_dropped_ends(node: LocalNode, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    begun = node.begin(["sh", "-c", f"read -r line && touch {marker}"], timeout=60)
    begun.drop()
    until(lambda: not begun.waits)
    begun.drop()
    assert node.run(["echo", "still there"]).returncode == 0
    assert not marker.exists()


def test_it_waits_no_longer_than_it_may(node: LocalNode) -> None:
    begun = node.begin(["sleep", "1000"], timeout=0.2)
    until(lambda: not begun.waits)


def test_its_deadline_is_that_of_its_end_then(node: LocalNode) -> None:
    begun = node.begin(["sh", "-c", "cat; sleep 1"], timeout=0.5)
    assert begun.finish(b"x", timeout=10).returncode == 0


def test_one_that_has_ended_hears_nothing(node: LocalNode) -> None:
    """The session goes on."""
    begun = node.begin(["sh", "-c", "exit 7"], timeout=60)
    until(lambda: not begun.waits)
    assert begun.finish(b"words", timeout=10).returncode == 7
    assert node.run(["echo", "still there"]).returncode == 0


def test_it_ends_with_the_connection(node: LocalNode, tmp_path: Path) -> None:
    """Its input ends, without a word."""
    script = f"trap '' TERM; echo >&2; read -r line; echo \"<$line>\" >{tmp_path}/said"
    begun = node.begin(["sh", "-c", script], timeout=60)
    begun.ready(10)  # it would die of the signal before it has said otherwise
    node.close()
    until(lambda: (tmp_path / "said").exists() and (tmp_path / "said").read_text() != "")
    assert (tmp_path / "said").read_text() == "<>\n"
    assert not begun.waits


def test_it_says_when_it_is_ready(node: LocalNode) -> None:
    begun = node.begin(["sh", "-c", "sleep 0.3; echo >&2; cat"], timeout=60)
    began = time.monotonic()
    begun.ready(10)
    assert 0.2 < time.monotonic() - began < 9
    assert begun.finish(b"words", timeout=10).stdout == b"words"


def test_one_that_says_nothing_is_not_waited_for(node: LocalNode) -> None:
    begun = node.begin(["cat"], timeout=60)
    begun.ready(0.1)
    assert begun.waits
    assert begun.finish(b"", timeout=10).returncode == 0
    node.begin(["true"], timeout=60).ready(10)

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that this one starts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from transproc.errors import CommandError
from transproc.run import run


def test_output_input_and_status() -> None:
    done = run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in", check=False, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == (b"in", b"err\n", 3)
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", "echo why >&2; exit 3"])
    assert (caught.value.status, caught.value.stderr) == (3, "why\n")


def test_what_has_not_ended_in_time_goes_with_its_children(tmp_path: Path) -> None:
    """Whoever holds the pipe of the output as well: nobody waits for it."""
    note = tmp_path / "pid"
    words: list[str | Path] = [
        "sh",
        "-c",
        'sleep 1000 & echo $! >"$1.new"; mv "$1.new" "$1"; wait',
        "sh",
        note,
    ]
    begin = time.monotonic()
    with pytest.raises(CommandError) as caught:
        run(words, timeout=2)
    assert caught.value.status == 124
    assert time.monotonic() < begin + 60
    until = time.monotonic() + 60
    while _lives(int(note.read_text())):
        assert time.monotonic() < until
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Progress on standard error: what a terminal shows, and what a file gets."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading

import pytest

from transproc import log

SHOWN = """
from transproc import log
with log.step("outer [red]") as outer:
    with log.step("inner"):
        log.note("a note of [1] about " + 40 * "long ")
    outer.detail = "2 of [x]"
"""


def test_a_file_gets_plain_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup is text, and nothing is wrapped: logs are searched by line."""
    exec(SHOWN)
    lines = re.sub(r"\d\.\d\d s", "0.00 s", capsys.readouterr().err).splitlines()
    assert lines == [
        f"    a note of [1] about {40 * 'long '}",
        "  ✓ inner  0.00 s",
        "✓ outer [red]  0.00 s  2 of [x]",
    ]


def test_a_step_that_fails_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), log.step("work"):
        raise ValueError("no")
    assert capsys.readouterr().err.startswith("✗ work")


def test_a_terminal_shows_the_same_words_in_colours() -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", SHOWN], stderr=slave, env=environment, check=True)
    os.close(slave)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert "\x1b[32m✓ \x1b[0m" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert "outer [red]" in plain
    assert "2 of [x]" in plain
    assert "a note of [1] about" in plain


LATE = """
import os, time
from transproc import log
with log.step("outer [red]"):
    time.sleep(2)
    with log.step("inner") as inner:
        inner.progress(10_000_000, 90_000_000)
        begin = time.perf_counter()
        time.sleep(1)
        inner.progress(40_000_000, 90_000_000)
        os.write(1, b"%f" % (30 / (time.perf_counter() - begin)))
"""


def test_how_fast_a_step_is_does_not_depend_on_those_before_it() -> None:
    """Nor is a rate told before there is one: of the first bytes it was kilobytes a second, and days were left."""
    master, slave = pty.openpty()
    words = [sys.executable, "-c", LATE]
    done = subprocess.run(
        words, stderr=slave, stdout=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}, check=True
    )
    os.close(slave)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", os.read(master, 1 << 16).decode())
    os.close(master)
    found = re.findall(r"outer \[red\] … (\d+) of 90 MB(?:, ([\d.]+) MB/s, (\d+) s left)?", shown)
    assert ("10", "", "") in found
    rate = float(done.stdout)
    (last,) = {one for one in found if one[0] == "40"}
    assert float(last[1]) == pytest.approx(rate, rel=0.1)
    assert int(last[2]) == pytest.approx(50 / rate, abs=1)


def test_threads_have_their_own_nesting(capsys: pytest.CaptureFixture[str]) -> None:
    def beside() -> None:
        with log.step("beside"):
            pass

    with log.step("outer") as outer:
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
        with log.step("inner"):
            pass
    assert [step.name for step in outer.steps] == ["inner"]
    assert [line.partition("  0")[0] for line in capsys.readouterr().err.splitlines()] == [
        "✓ beside",
        "  ✓ inner",
        "✓ outer",
    ]


def test_steps_beside_each_other_are_shown_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with what is inside it."""
    both = threading.Barrier(2)

    def branch(name: str) -> None:
        with log.step(name):
            for inner in ("first", "second"):
                both.wait()
                with log.step(f"{inner} of {name}"):
                    both.wait()
                    log.note(f"note of {name}")

    threads = [threading.Thread(target=branch, args=name) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line.partition("  0")[0] for line in capsys.readouterr().err.splitlines()]
    blocks = [lines[:5], lines[5:]]
    assert sorted(blocks) == [
        [f"    note of {n}", f"  ✓ first of {n}", f"    note of {n}", f"  ✓ second of {n}", f"✓ {n}"]
        for n in "ab"
    ]


def test_nothing_of_rich_is_imported_for_a_file() -> None:
    code = SHOWN + "\nimport sys; sys.exit(any(name.startswith('rich') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=True)

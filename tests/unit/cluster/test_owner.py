# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whose connections are over, by their words."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from transproc.cluster import owner


def test_a_connection_is_over_when_it_is_closed() -> None:
    first, second = owner.new(), owner.new()
    assert owner.over([first, second]) == []
    owner.close(first)
    assert owner.over([first, second]) == [first]
    owner.close(first)
    owner.close(second)


def test_a_connection_is_over_when_its_process_is() -> None:
    """Killed, and not yet waited for; then gone."""
    script = "from transproc.cluster import owner; print(owner.new(), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout
        word = child.stdout.readline().strip()
        assert owner.over([word]) == []
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is there
        assert owner.over([word]) == [word]
    assert owner.over([word]) == [word]


def test_another_one_with_the_same_number_is_another_one() -> None:
    word = owner.new()
    pid, started = word.removeprefix(owner.host()).split(".")[:2]
    earlier = f"{owner.host()}1.{int(started) + 1}.1."
    assert owner.over([earlier]) == [earlier]
    assert owner.over([f"{owner.host()}{pid}.{started}.123456789."]) != []
    owner.close(word)


def test_what_is_of_others_is_not_ours() -> None:
    words = ["", "transproc-0.1.2.3.", owner.host(), f"{owner.host()}1.2.", f"{owner.host()}x.2.3."]
    assert owner.over(words) == []


def test_a_pattern_matches_one_word_and_not_itself() -> None:
    pattern = owner.pattern("transproc-ab.1.2.3.")
    assert re.search(pattern, "serve -- transproc-ab.1.2.3. ")
    assert not re.search(pattern, "transproc-ab.1.2.31.") and not re.search(pattern, pattern)

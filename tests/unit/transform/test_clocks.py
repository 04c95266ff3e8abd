# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processor time: what is read of the node's list, and what is written into the processes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.writers.images import inventory
from transproc.errors import ImageError, TransformError
from transproc.images.directory import ImageDirectory, Process
from transproc.images.flags import VmaStatus
from transproc.transform import clocks
from transproc.transform.address_space import ARGS_WORDS
from transproc.transform.clocks import MARK, TICK, Clocks, Time, parse

ARGS, AT, BLOCK, OFFSET = 0x1000, 0x2000, 0x9000, 0x40
THREAD = BLOCK + OFFSET


class Words:
    """A process's memory, as far as it is asked for."""

    def __init__(self, words: dict[int, int]) -> None:
        self.words = words

    def u64s(self, address: int, count: int) -> list[int]:
        if address not in self.words:
            raise TransformError(f"address {address:#x} is not mapped")
        return [self.words.get(address + 8 * i, 0) for i in range(count)]

    def vma(self, _: int) -> Any:
        return SimpleNamespace(status=VmaStatus.ANON_PRIVATE)


def memory(*noted: int, mark: int = MARK, thread: tuple[int, ...] = (0,)) -> Words:
    words = {ARGS + 8 * ARGS_WORDS: mark, ARGS + 8 * ARGS_WORDS + 8: AT}
    words |= {AT + 8 * i: word for i, word in enumerate(noted or (0,))} | {AT + 8 * 7: OFFSET}
    return Words(words | {THREAD + 8 * i: word for i, word in enumerate(thread)})


def tree(
    path: Path, monkeypatch: pytest.MonkeyPatch, listing: str | None, memories: dict[int, Words]
) -> Clocks:
    inventory(path)
    if listing is not None:
        (path / clocks.NAME).write_text(listing)
    monkeypatch.setattr(clocks, "thread_block", lambda *_: BLOCK)
    monkeypatch.setattr(ImageDirectory, "core", lambda *_: None)
    binary: Any = SimpleNamespace(index=SimpleNamespace(args=ARGS))
    readers: Any = {pid: (words, binary) for pid, words in memories.items()}
    return Clocks(ImageDirectory(path), readers)


def process(pid: int) -> Process:
    return Process(pid, 0, pid, pid, (pid,))


def test_user_and_system_time_are_at_most_what_the_program_can_have_seen() -> None:
    used = parse("process 7 1 250000000 20 4 0 0 0\nthread 7 0 3 0\n")[7]
    assert used.time == Time(250_000_000, 21 * TICK, 5 * TICK)
    assert used.waited == Time()
    assert used.threads == {7: Time(5 * TICK, 4 * TICK, TICK)}, "no total is known"
    assert parse("process 7 1 245000000 20 4 0 0 0\n")[7].time.user == 205_000_000, "less than a tick is left"


def test_children_of_less_than_a_tick_count_as_one() -> None:
    assert parse("process 7 1 1 0 0 0 0 12\n")[7].waited == Time(2 * TICK, TICK, TICK)


@pytest.mark.parametrize(
    "text",
    ["process 7 1 1\n", "thread 7 1 1 1\n", "process 7 1 1 1 1 1 1 -1\n", "other\n", "process 7" + " 1" * 9],
)
def test_another_list_is_an_error(text: str) -> None:
    with pytest.raises(ImageError):
        parse(text)


def test_the_first_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "process 7 1 100 0 0 0 0 0\nthread 7 90 0 0\n"
    words = tree(tmp_path, monkeypatch, listing, {7: memory()}).words(process(7))
    assert [words[AT + 8 * i] for i in range(7)] == [7, 100, 100, 100, 0, 0, 0]
    assert [words[THREAD + 8 * i] for i in range(4)] == [7, 90, 90, 90]
    assert len(words) == 11


def test_another_move_adds_but_not_to_what_a_parent_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = "process 7 1 100 0 0 0 0 0\nthread 7 90 0 0\n"
    moved = memory(7, 1000, 600, 400, 20, 10, 10, thread=(7, 900, 500, 400))
    words = tree(tmp_path, monkeypatch, listing, {7: moved}).words(process(7))
    assert [words[AT + 8 * i] for i in range(7)] == [7, 1100, 700, 500, 20, 10, 10]
    assert words[THREAD + 8] == 990
    forked = memory(6, 1000, 600, 400, 20, 10, 10, thread=(6, 900, 500, 400))
    words = tree(tmp_path, monkeypatch, listing, {7: forked}).words(process(7))
    assert [words[AT + 8 * i] for i in range(7)] == [7, 100, 100, 100, 0, 0, 0]
    assert words[THREAD + 8] == 90


def test_children_have_what_they_and_all_below_have_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = "".join(f"process {pid} {parent} {time} 0 0 0 0 0\n" for pid, parent, time in [
        (7, 1, 100), (8, 7, 1000), (9, 8, 10000), (10, 7, 5)])  # fmt: skip
    earlier = memory(
        7, *[0] * 6, OFFSET, 11, 3, 2, 1, 10, 40, 30, 20
    )  # 11 was reaped just now, 10 is a zombie
    memories = {7: earlier, 8: memory(8, 200000), 9: memory()}
    words = tree(tmp_path, monkeypatch, listing, memories).words(process(7))
    rows = [[words[AT + 8 * (8 + 4 * i + k)] for k in range(2)] for i in range(3)]
    assert rows == [[8, 211000], [10, 45], [11, 3]]


def test_entries_that_are_not_needed_any_more_are_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = "process 7 1 100 0 0 0 0 0\nprocess 8 7 1 0 0 0 0 0\n"
    earlier = memory(7, *[0] * 6, OFFSET, 0, 0, 0, 0, 8, 1, 1, 1)
    words = tree(tmp_path, monkeypatch, listing, {7: earlier, 8: memory()}).words(process(7))
    assert [words[AT + 8 * (8 + i)] for i in range(8)] == [8, 1, 1, 1, 0, 0, 0, 0]


def test_entries_that_are_free_between_others_are_no_childs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = "process 7 1 100 0 0 0 0 0\nprocess 8 7 1 0 0 0 0 0\n"
    earlier = memory(7, *[0] * 6, OFFSET, 9, 3, 2, 1, 0, 0, 0, 0, 8, 1, 1, 1)
    words = tree(tmp_path, monkeypatch, listing, {7: earlier, 8: memory()}).words(process(7))
    assert [words[AT + 8 * (8 + i)] for i in range(12)] == [8, 1, 1, 1, 9, 3, 2, 1, 0, 0, 0, 0]
    assert all(word >= 0 for word in words.values())


@pytest.mark.parametrize("words", [memory(mark=5), Words({})])
def test_programs_of_older_toolchains_are_left_alone(
    words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = "process 7 1 100 0 0 0 0 0\nthread 7 90 0 0\n"
    assert tree(tmp_path, monkeypatch, listing, {7: words}).words(process(7)) == {}


def test_an_image_without_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tree(tmp_path, monkeypatch, None, {7: memory()}).words(process(7)) == {}

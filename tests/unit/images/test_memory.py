# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Page maps with parents, and child directories, against a model that holds every page in a dictionary."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.writers.images import LAZY, PAGE, PAGEMAP, PARENT, PRESENT, image, inventory, message, pagemap
from transproc.errors import ImageError
from transproc.images import counts, kinds
from transproc.images.child import ChildWriter
from transproc.images.directory import ImageDirectory
from transproc.images.memory import Memory
from transproc.images.proto.memory_pb2 import PagemapEntry, PagemapHead
from transproc.images.proto.process_pb2 import ProcessTreeEntry

Model = dict[int, bytes]


def page(value: int) -> bytes:
    return bytes([value]) * PAGE


def directory(
    path: Path, rows: list[tuple[int, int, int]], values: bytes = b"", **options: bool
) -> ImageDirectory:
    """One level: rows in pages, one value for each page that is present."""
    inventory(path)
    pagemap(path, [(a * PAGE, n, f) for a, n, f in rows], b"".join(page(v) for v in values), **options)
    return ImageDirectory(path)


def chain(path: Path) -> ImageDirectory:
    """Pages 16-19 in the grandparent (values 1-4), 17 again in the parent (5), 19 and 32 in the child (6, 7)."""
    directory(path / "0", [(16, 4, PRESENT)], bytes([1, 2, 3, 4]))
    directory(path / "1", [(16, 1, PARENT), (17, 1, PRESENT | LAZY), (18, 2, PARENT)], bytes([5]))
    directory(path / "2", [(16, 3, PARENT), (19, 1, PRESENT), (32, 1, PRESENT), (40, 2, LAZY)], bytes([6, 7]))
    (path / "1" / "parent").symlink_to("../0")
    (path / "2" / "parent").symlink_to("../1")
    return ImageDirectory(path / "2")


def test_real_dump(counter: ImageDirectory) -> None:
    memory = Memory(counter, counter.processes()[0].pid)
    assert memory.present().size == 7 * PAGE
    assert memory.read(0x403000, 9) == b"data\0\0\0\0!"
    assert memory.read_u64(0x403000) == int.from_bytes(b"data", "little")
    assert memory.is_present(0x403FFF) and not memory.is_present(0x402FFF)
    with pytest.raises(ImageError, match="no page for address 0x402fff"):
        memory.read(0x402FFF, 2)


def test_every_level_of_parents(tmp_path: Path) -> None:
    memory = Memory(chain(tmp_path), 1)
    assert memory.read(16 * PAGE, 4 * PAGE) == page(1) + page(5) + page(3) + page(6)
    assert memory.read(18 * PAGE - 1, PAGE + 2) == b"\5" + page(3) + b"\6"
    assert memory.read(32 * PAGE, 0) == b""
    assert list(memory.present()) == [(16 * PAGE, 20 * PAGE), (32 * PAGE, 33 * PAGE)]
    assert list(memory.present(17 * PAGE, 33 * PAGE)) == [(17 * PAGE, 20 * PAGE), (32 * PAGE, 33 * PAGE)]
    assert list(memory.lazy) == [(40 * PAGE, 42 * PAGE)]
    for absent in (0, 20 * PAGE - 1 + 1, 40 * PAGE, -1, 1 << 64):
        with pytest.raises(ImageError, match="no page for address"):
            memory.read(absent, 1)
    with pytest.raises(ImageError, match="no page for address 0x14000"):
        memory.read(19 * PAGE, PAGE + 1)


def test_child_directory(tmp_path: Path) -> None:
    old = chain(tmp_path)
    memory = Memory(old, 1)
    writer = ChildWriter(tmp_path / "new", old)
    inventory(tmp_path / "new")
    writer.add(memory, {17 * PAGE: page(9), 50 * PAGE: page(8), 40 * PAGE: page(7)}, [(18 * PAGE, 19 * PAGE)])
    new = ImageDirectory(tmp_path / "new")
    child = Memory(new, 1)
    assert list(child.present()) == [
        (16 * PAGE, 18 * PAGE),
        (19 * PAGE, 20 * PAGE),
        (32 * PAGE, 33 * PAGE),
        (40 * PAGE, 41 * PAGE),
        (50 * PAGE, 51 * PAGE),
    ]
    assert child.read(16 * PAGE, 2 * PAGE) == page(1) + page(9)
    assert list(child.lazy) == [(41 * PAGE, 42 * PAGE)]
    # What CRIU sees: never PE_PARENT with another flag, and in_parent for its older readers.
    entries = new.image("pagemap-1.img", kinds.PAGEMAP).messages(PagemapEntry)
    assert [(e.vaddr // PAGE, e.compat_nr_pages, e.flags, e.in_parent) for e in entries] == [
        (16, 1, PARENT, True),
        (17, 1, PRESENT, False),
        (19, 1, PARENT, True),
        (32, 1, PARENT, True),
        (40, 1, PRESENT, False),
        (41, 1, LAZY, False),
        (50, 1, PRESENT, False),
    ]
    assert not any(entry.HasField("nr_pages") for entry in entries)
    assert (tmp_path / "new" / "pages-1.img").read_bytes() == page(9) + page(7) + page(8)
    assert (tmp_path / "new" / "parent").readlink() == Path("../2")


def test_each_memory_of_a_child_has_its_own_pages(tmp_path: Path) -> None:
    old = directory(tmp_path / "old", [(1, 1, PRESENT)], b"\1")
    pagemap(tmp_path / "old", [(PAGE, 1, PRESENT)], page(2), pid=2, pages_id=2)
    writer = ChildWriter(tmp_path / "new", old)
    inventory(tmp_path / "new")
    for pid in (1, 2):
        writer.add(Memory(old, pid), {2 * PAGE: page(pid + 10)})
    new = ImageDirectory(tmp_path / "new")
    assert [Memory(new, pid).read(PAGE, 2 * PAGE) for pid in (1, 2)] == [
        page(1) + page(11),
        page(2) + page(12),
    ]


def test_child_without_changes_has_empty_pages(tmp_path: Path) -> None:
    old = directory(tmp_path / "old", [(1, 1, PRESENT)], b"\1")
    ChildWriter(tmp_path / "new", old).add(Memory(old, 1), {})
    assert (tmp_path / "new" / "pages-1.img").read_bytes() == b""


def test_the_rest_is_carried_over(tmp_path: Path, counter: ImageDirectory) -> None:
    old = tmp_path / "old"
    shutil.copytree(counter.path, old)
    pagemap(old, [(0, 1, PRESENT)], page(5), pid="shmem-7", pages_id=9)
    (old / "dump.log").write_text("long")
    (pid,) = (process.pid for process in counter.processes())
    writer = ChildWriter(tmp_path / "new", ImageDirectory(old))
    tree = ImageDirectory(old).image("pstree.img")
    tree.only(ProcessTreeEntry).sid = 77
    writer.write("pstree.img", tree)
    writer.add(Memory(ImageDirectory(old), pid), {0x404000: page(9)})
    writer.finish()
    new = ImageDirectory(tmp_path / "new")
    left = {"dump.log", "stats-dump"}
    assert {n for n in new.names() if "pages" not in n} == {n for n in names(old) if "pages" not in n} - left
    assert new.processes()[0].sid == 77
    assert (new.path / "files.img").read_bytes() == (old / "files.img").read_bytes()
    assert Memory(new, "shmem-7").read(0, PAGE) == page(5)
    assert Memory(new, pid).read(0x403000, 4) == b"data"
    assert sum(file.stat().st_size for file in new.path.glob("pages-*")) == PAGE


def names(path: Path) -> list[str]:
    return [entry.name for entry in path.iterdir()]


def test_child_refusals(tmp_path: Path) -> None:
    old = directory(tmp_path / "old", [(1, 1, PRESENT)], b"\1")
    other = directory(tmp_path / "other", [(1, 1, PRESENT)], b"\1")
    writer = ChildWriter(tmp_path / "new", old)
    with pytest.raises(ImageError, match="the memory is of another directory"):
        writer.add(Memory(other, 1), {})
    for address, data in ((PAGE + 1, page(0)), (PAGE, b"short")):
        with pytest.raises(ImageError, match="expected whole pages"):
            writer.add(Memory(old, 1), {address: data})
    with pytest.raises(ImageError, match="is given twice"):
        writer.add(Memory(old, 1), {PAGE: page(0) * 2, 2 * PAGE: page(1)})
    with pytest.raises(ImageError, match="the parent is"):
        ChildWriter(tmp_path / "new", other)
    ChildWriter(tmp_path / "new", old)


def test_wide_counts_of_newer_criu(tmp_path: Path) -> None:
    old = directory(tmp_path / "old", [(1, 2, PRESENT)], b"\1\2", wide=True)
    memory = Memory(old, 1)
    assert memory.read(PAGE, 2 * PAGE) == page(1) + page(2)
    ChildWriter(tmp_path / "new", old).add(memory, {})
    inventory(tmp_path / "new")
    (entry,) = ImageDirectory(tmp_path / "new").image("pagemap-1.img").messages(PagemapEntry)
    assert (entry.nr_pages, entry.compat_nr_pages) == (2, 2)


def test_counts_of_newer_criu_are_said_for_older_ones_as_well(tmp_path: Path) -> None:
    """4.1 reads the parent of an image by its own field, and finds nothing there."""
    newer = directory(tmp_path / "newer", [(1, 2, PRESENT), (5, 1, PRESENT)], b"\1\2\3", wide=True)
    assert counts.say_twice(newer.path) == ["pagemap-1.img"]
    entries = ImageDirectory(newer.path).image("pagemap-1.img").messages(PagemapEntry)
    assert [(entry.compat_nr_pages, entry.nr_pages) for entry in entries] == [(2, 2), (1, 1)]
    assert Memory(ImageDirectory(newer.path), 1).read(PAGE, 2 * PAGE) == page(1) + page(2)
    assert counts.say_twice(newer.path) == []
    assert counts.say_twice(directory(tmp_path / "older", [(1, 2, PRESENT)], b"\1\2").path) == []


def test_flags_of_older_criu(tmp_path: Path) -> None:
    directory(tmp_path / "old", [(1, 1, PRESENT)], b"\1")
    inventory(tmp_path / "new")
    rows = [message((1, PAGE), (2, 1), (3, 1)), message((1, 2 * PAGE), (2, 1))]
    (tmp_path / "new" / "pagemap-1.img").write_bytes(image(PAGEMAP, message((1, 1)), *rows))
    (tmp_path / "new" / "pages-1.img").write_bytes(page(2))
    (tmp_path / "new" / "parent").symlink_to("../old")
    assert Memory(ImageDirectory(tmp_path / "new"), 1).read(PAGE, 2 * PAGE) == page(1) + page(2)


@pytest.mark.parametrize(
    ("rows", "values", "problem"),
    [
        ([(2, 1, PRESENT), (1, 1, PRESENT)], b"\1\2", "not in ascending order"),
        ([(1, 2, PRESENT), (2, 1, PRESENT)], b"\1\2\3", "not in ascending order"),
        ([(1, 0, PRESENT)], b"", "are empty"),
        ([(1, 2, PRESENT)], b"\1", "expected 8192 bytes of pages, found 4096"),
        ([(1, 1, PRESENT)], b"", "cannot be mapped"),
        ([(2**52 - 1, 1, PRESENT)], b"\1", "exceeds the address space"),
        ([(1, 1, PARENT)], b"", "page 0x1000 is in the parent, but there is no parent"),
    ],
)
def test_malformed(rows: list[tuple[int, int, int]], values: bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=problem):
        Memory(directory(tmp_path, rows, values), 1)


def test_malformed_otherwise(tmp_path: Path) -> None:
    old = directory(tmp_path / "old", [(1, 1, PRESENT)], b"\1")
    directory(tmp_path / "new", [(1, 2, PARENT)])
    (tmp_path / "new" / "parent").symlink_to("../old")
    with pytest.raises(ImageError, match="page 0x2000 is not in the parent"):
        Memory(ImageDirectory(tmp_path / "new"), 1)
    (tmp_path / "old" / "pagemap-1.img").write_bytes(image(PAGEMAP, message((1, 1)), message((1, 5), (2, 1))))
    with pytest.raises(ImageError, match="not aligned"):
        Memory(old, 1)
    (tmp_path / "old" / "pagemap-1.img").write_bytes(image(PAGEMAP))
    with pytest.raises(ImageError, match="has no head"):
        Memory(old, 1)
    with pytest.raises(ImageError, match=r"pagemap-7\.img: No such file"):
        Memory(old, 7)


def test_a_loop_of_parents(tmp_path: Path) -> None:
    directory(tmp_path / "a", [(1, 1, PARENT)])
    (tmp_path / "a" / "parent").symlink_to(".")
    with pytest.raises(ImageError, match="more than 200 parents"):
        Memory(ImageDirectory(tmp_path / "a"), 1)


def test_work_is_proportional_to_runs(tmp_path: Path) -> None:
    """64 GiB in one run, as a sparse file: any loop over its 16 million pages would take seconds."""
    pages = 1 << 24
    old = directory(tmp_path / "old", [(1 << 20, pages, PRESENT)])
    with (tmp_path / "old" / "pages-1.img").open("r+b") as file:
        file.truncate(pages * PAGE)
    start = time.process_time()
    memory = Memory(old, 1)
    changed = {(1 << 20) * PAGE + index * 1000 * PAGE: page(1) for index in range(100)}
    ChildWriter(tmp_path / "new", old).add(memory, changed, [(0, (1 << 20) * PAGE + PAGE)])
    inventory(tmp_path / "new")
    child = Memory(ImageDirectory(tmp_path / "new"), 1)
    assert time.process_time() - start < 0.5
    assert child.present().size == pages * PAGE
    assert child.read((1 << 20) * PAGE + 999 * PAGE, PAGE + 1) == page(0) + b"\1"


@st.composite
def levels(draw: st.DrawFn) -> tuple[list[list[tuple[int, int, int]]], list[bytes], Model]:
    """Up to three levels of pagemaps that refer to each other correctly, and the memory they mean."""
    rows: list[list[tuple[int, int, int]]] = []
    values: list[bytes] = []
    model: Model = {}
    for _ in range(draw(st.integers(1, 3))):
        states = draw(st.lists(st.sampled_from("-PRL"), max_size=24))
        now: Model = {}
        row, value = [], bytearray()
        for index, state in enumerate(states):
            if state == "P" and index in model:
                now[index] = model[index]
                row.append((index, 1, PARENT))
            elif state == "R":
                value.append(draw(st.integers(0, 255)))
                now[index] = page(value[-1])
                row.append((index, 1, PRESENT))
            elif state == "L":
                row.append((index, 1, LAZY))
        rows.append(_joined(row) if draw(st.booleans()) else row)
        values.append(bytes(value))
        model = now
    return rows, values, model


def _joined(rows: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    out: list[tuple[int, int, int]] = []
    for index, count, flags in rows:
        if out and out[-1][0] + out[-1][1] == index and out[-1][2] == flags:
            out[-1] = (out[-1][0], out[-1][1] + count, flags)
        else:
            out.append((index, count, flags))
    return out


@given(
    levels(),
    st.dictionaries(st.integers(0, 30), st.integers(0, 255), max_size=6),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=3),
)
def test_against_a_model(
    made: tuple[list[list[tuple[int, int, int]]], list[bytes], Model],
    changed: dict[int, int],
    dropped: list[tuple[int, int]],
) -> None:
    rows, values, model = made
    with TemporaryDirectory() as place:
        root = Path(place)
        for level, (row, value) in enumerate(zip(rows, values, strict=True)):
            directory(root / str(level), row, value)
            if level:
                (root / str(level) / "parent").symlink_to(f"../{level - 1}")
        old = ImageDirectory(root / str(len(rows) - 1))
        check(Memory(old, 1), model)
        pages = {index * PAGE: page(value) for index, value in changed.items()}
        ChildWriter(root / "new", old).add(Memory(old, 1), pages, [(a * PAGE, b * PAGE) for a, b in dropped])
        inventory(root / "new")
        gone = {index for a, b in dropped for index in range(a, b)}
        kept = {index: data for index, data in model.items() if index not in gone}
        check(Memory(ImageDirectory(root / "new"), 1), kept | {i: page(v) for i, v in changed.items()})


def check(memory: Memory, model: Model) -> None:
    assert memory.present().size == len(model) * PAGE
    for index in range(32):
        assert memory.is_present(index * PAGE + 5) == (index in model)
        if index in model:
            assert memory.read(index * PAGE, PAGE) == model[index]
    for start, end in memory.present():
        inner = range(start // PAGE, end // PAGE)
        assert memory.read(start, end - start) == b"".join(model[index] for index in inner)


@given(st.data())
def test_damaged_pagemaps_are_read_or_refused(data: st.DataObject) -> None:
    with TemporaryDirectory() as place:
        root = Path(place)
        old = directory(root, [(1, 2, PRESENT), (5, 1, LAZY), (7, 1, PRESENT)], b"\1\2\3")
        path = root / "pagemap-1.img"
        damaged = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
        if data.draw(st.booleans()):
            (root / "parent").symlink_to(".")
        try:
            memory = Memory(old, 1)
            for start, end in memory.present():
                assert len(memory.read(start, end - start)) == end - start
        except ImageError:
            pass


def test_huge_runs_are_split(tmp_path: Path) -> None:
    """CRIU 4.1 counts the pages of an entry in a C int; lazy runs need no bytes."""
    old = directory(tmp_path / "old", [(0, (1 << 31) + 5, LAZY)])
    ChildWriter(tmp_path / "new", old).add(Memory(old, 1), {})
    inventory(tmp_path / "new")
    read = ImageDirectory(tmp_path / "new").image("pagemap-1.img")
    assert [e.compat_nr_pages for e in read.messages(PagemapEntry)] == [(1 << 31) - 1, 6]
    assert read.only(PagemapHead).pages_id == 1

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Damaged input: whatever is wrong with images or binaries, there is one clear error, and no half-made directory.

`tests/data/small.tar.xz` holds `small.c` as a pair, dumped before (`dump`, x86_64) and after (`again`, aarch64) a migration.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transproc.binary.elf import Elf
from transproc.binary.pair import PairStore
from transproc.binary.sites import FUNCTION_DYNAMIC, MAGIC, SECTION, Index
from transproc.errors import MismatchError, StackMapError, TransprocError, UnsupportedError
from transproc.images.directory import ImageDirectory
from transproc.images.memory import Memory
from transproc.isa.aarch64 import AARCH64
from transproc.run import run
from transproc.transform import files
from transproc.transform.address_space import MOVES
from transproc.transform.pipeline import carry, transform

DATA = Path(__file__).parents[2] / "data"
TARGETS = {"dump": "aarch64", "again": "x86_64"}
FRAMES = {"dump": 19, "again": 3}
"""Records of frames that were not running are copied, which does not count."""
QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("small")
    run(["tar", "-C", place, "-xJf", DATA / "small.tar.xz"])
    return place


@dataclass(frozen=True)
class Damage:
    """Bytes at a relative place are replaced, removed, inserted, or everything from there on is cut off."""

    kind: str
    place: float
    data: bytes

    def apply(self, good: bytes, start: int = 0) -> bytes:
        at = start + int(self.place * (len(good) - start))
        rest = {
            "replace": self.data + good[at + len(self.data) :],
            "insert": self.data + good[at:],
            "remove": good[at + len(self.data) :],
            "cut": b"",
            "flip": bytes([good[at] ^ (self.data[0] | 1)]) + good[at + 1 :] if at < len(good) else b"",
        }
        return good[:at] + rest[self.kind]


DAMAGE = st.builds(
    Damage,
    st.sampled_from(["replace", "insert", "remove", "cut", "flip"]),
    st.floats(0, 1),
    st.one_of(
        st.binary(min_size=1, max_size=8),
        st.sampled_from([b"\0" * 8, b"\xff" * 4, b"\xff" * 8, b"\0\0\0\x80"]),
    ),
)
WHERE = st.floats(0, 0.999)


def survives(place: Path, dump: str, damaged: Path, damage: Callable[[bytes], bytes]) -> None:
    """Transforms with one file damaged. Raises whatever is no TransprocError."""
    good, result = damaged.read_bytes(), place / "result"
    damaged.write_bytes(damage(good))
    try:
        transform(place / dump, result, pairs=PairStore([place / "pair"]), to=TARGETS[dump])
    except TransprocError as error:
        assert error.message
        assert not result.exists()
    finally:
        damaged.write_bytes(good)
        shutil.rmtree(result, ignore_errors=True)


@pytest.mark.parametrize("dump", TARGETS)
def test_undamaged(small: Path, tmp_path: Path, dump: str) -> None:
    report = transform(small / dump, tmp_path / "result", pairs=PairStore([small / "pair"]), to=TARGETS[dump])
    assert (report.threads, report.blocked, report.frames) == (2, 1, FRAMES[dump])


@pytest.mark.parametrize("dump", TARGETS)
@QUICK
@given(WHERE, DAMAGE)
def test_damaged_images(small: Path, dump: str, which: float, damage: Damage) -> None:
    files = sorted((small / dump).glob("*.img"))
    survives(small, dump, files[int(which * len(files))], damage.apply)


@pytest.mark.parametrize("isa", ["x86_64", "aarch64"])
@QUICK
@given(damage=DAMAGE)
def test_damaged_binaries(small: Path, isa: str, damage: Damage) -> None:
    survives(small, "dump", small / "pair" / f"small.{isa}", damage.apply)


@pytest.mark.parametrize("isa", ["x86_64", "aarch64"])
@QUICK
@given(damage=DAMAGE)
def test_damaged_index(small: Path, isa: str, damage: Damage) -> None:
    """Only bytes of the site index, and none that move others: what is wrong is found when it is opened or used."""
    path = small / "pair" / f"small.{isa}"
    start = path.read_bytes().index(MAGIC)
    size = len(Elf(path).section(SECTION) or b"")

    def spoil(good: bytes) -> bytes:
        section = damage.apply(good[start : start + size])
        return good[:start] + section[:size].ljust(size, b"\0") + good[start + size :]

    survives(small, "dump", path, spoil)


def test_dynamic_objects_without_a_value(small: Path) -> None:
    """Each function says that it has some, also those with sites at which nothing is live."""
    path = small / "pair" / "small.x86_64"

    def spoil(good: bytes) -> bytes:
        functions = Index(Elf(path)).functions.copy()
        start = good.index(functions.tobytes(), good.index(MAGIC))
        functions["flags"] |= FUNCTION_DYNAMIC
        return good[:start] + functions.tobytes() + good[start + functions.nbytes :]

    survives(small, "dump", path, spoil)


@pytest.mark.parametrize("kind", [0, 10])
def test_a_special_address_of_no_kind(small: Path, kind: int, tmp_path: Path) -> None:
    path = small / "pair" / "small.x86_64"
    good, row = path.read_bytes(), Index(Elf(path)).specials[:1].copy()
    place = good.index(row.tobytes(), good.index(MAGIC))
    row["kind"] = kind
    spoilt = tmp_path / path.name
    spoilt.write_bytes(good[:place] + row.tobytes() + good[place + row.nbytes :])
    with pytest.raises(StackMapError, match="a special address's kind"):
        Index(Elf(spoilt))


@pytest.mark.parametrize("isa", ["x86_64", "aarch64"])
@QUICK
@given(damage=DAMAGE)
def test_an_index_opens_or_says_why(small: Path, tmp_path: Path, isa: str, damage: Damage) -> None:
    """And if it opens, every row of it can be read."""
    path = tmp_path / f"small.{isa}"
    good = (small / "pair" / path.name).read_bytes()
    path.unlink(missing_ok=True)  # the earlier one may still be mapped
    path.write_bytes(damage.apply(good, good.index(MAGIC)))
    try:
        index = Index(Elf(path))
    except TransprocError:
        return
    for number in range(len(index.sites)):
        site = index.site(number)
        index.rule(site.row)
        index.name(site.function)
        assert len(index.locations[site.location :][: site.narrow + site.wide]) == site.narrow + site.wide


@pytest.mark.parametrize("size", [1, 100, 4096, 20000])
def test_real_image_without_a_pair_is_refused(tmp_path: Path, size: int) -> None:
    """An image of a program of another compiler, whole and cut."""
    foreign, result = tmp_path / "foreign", tmp_path / "result"
    shutil.copytree(DATA / "counter-x86_64", foreign)
    with pytest.raises(MismatchError, match=r"no pair of binaries for .*counter") as caught:
        transform(foreign, result, pairs=PairStore([tmp_path]), to="aarch64")
    assert caught.value.hint
    pages = foreign / "pages-1.img"
    pages.write_bytes(pages.read_bytes()[:size])
    with pytest.raises(TransprocError):
        transform(foreign, result, pairs=PairStore([tmp_path]), to="aarch64")
    assert not result.exists()


@QUICK
@given(which=WHERE, damage=DAMAGE)
def test_damaged_foreign_image(tmp_path: Path, which: float, damage: Damage) -> None:
    foreign, result = tmp_path / "foreign", tmp_path / "result"
    if not foreign.exists():
        shutil.copytree(DATA / "counter-x86_64", foreign)
    files = sorted(foreign.glob("*.img"))
    path = files[int(which * len(files))]
    good = path.read_bytes()
    path.write_bytes(damage.apply(good))
    try:
        with pytest.raises(TransprocError):
            transform(foreign, result, pairs=PairStore([foreign]), to="aarch64")
    finally:
        path.write_bytes(good)
    assert not result.exists()


def test_already_transformed(small: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(small, here)
    pairs = PairStore([here / "pair"])
    transform(here / "dump", here / "image", pairs=pairs, to="aarch64")
    with pytest.raises(UnsupportedError, match="is an image for aarch64 already") as caught:
        transform(here / "image", tmp_path / "result", pairs=pairs, to="aarch64")
    assert caught.value.exit_status == 3
    with pytest.raises(TransprocError, match="exists already"):
        transform(here / "dump", here / "image", pairs=pairs, to="aarch64")
    assert (here / "image" / "pstree.img").exists(), "what was there is not removed"


def test_a_move_within_an_isa_is_counted(small: Path, tmp_path: Path) -> None:
    """Nothing else changes: the image's other pages stay in the original."""
    here, pairs = tmp_path / "here", PairStore([small / "pair"])
    shutil.copytree(small / "again", here)
    report = carry(here, tmp_path / "result", pairs=pairs, to="aarch64")
    assert (report.source, report.target, report.frames) == ("aarch64", "aarch64", 0)
    before, after = ImageDirectory(here), ImageDirectory(tmp_path / "result")
    (process,) = before.processes()
    binary = pairs.find(files.build_id(before.executable(process.pid)), "small")["aarch64"]
    old, new = Memory(before, process.pid), Memory(after, process.pid)
    at = binary.index.args + 8 * MOVES
    assert [int.from_bytes(memory.read(at, 8), "little") for memory in (old, new)] == [1, 2]
    differing = [
        (start, end)
        for start, end in new.present()
        if old.read(start, end - start) != new.read(start, end - start)
    ]
    assert old.present().size == new.present().size
    assert len(differing) == 1
    same = before.core(process.pid)
    assert AARCH64.leave_processor(same), "criu writes an empty list where there are no keys"
    assert after.core(process.pid) == same
    with pytest.raises(TransprocError, match="exists already"):
        carry(here, tmp_path / "result", pairs=pairs, to="aarch64")
    assert (tmp_path / "result" / "pstree.img").exists(), "what was there is not removed"


def test_unknown_target(small: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="riscv64"):
        transform(small / "dump", tmp_path / "result", pairs=PairStore([small / "pair"]), to="riscv64")
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize("missing", ["small.aarch64", "small.x86_64"])
def test_half_a_pair(small: Path, tmp_path: Path, missing: str) -> None:
    here = tmp_path / "here"
    shutil.copytree(small, here)
    (here / "pair" / missing).unlink()
    with pytest.raises(MismatchError, match=r"no pair of binaries for .*small") as caught:
        transform(here / "dump", here / "image", pairs=PairStore([here / "pair"]), to="aarch64")
    assert "started from" in (caught.value.hint or "")


def test_of_another_build(small: Path, tmp_path: Path) -> None:
    """The pair was linked again since: its build-id is another one, in the file and in its mate's index."""
    here = tmp_path / "here"
    shutil.copytree(small, here)
    x86_64, aarch64 = (here / "pair" / f"small.{isa}" for isa in ("x86_64", "aarch64"))
    old = Elf(x86_64).build_id
    for path in (x86_64, aarch64):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data.replace(old, bytes(20)))
    with pytest.raises(MismatchError, match="is of another build"):
        transform(here / "dump", here / "image", pairs=PairStore([here / "pair"]), to="aarch64")


def test_stale_mate(small: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(small, here)
    path = here / "pair" / "small.aarch64"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data.replace(Elf(small / "pair" / path.name).build_id, bytes(20)))
    with pytest.raises(MismatchError, match="belongs to a binary with build-id") as caught:
        transform(here / "dump", here / "image", pairs=PairStore([here / "pair"]), to="aarch64")
    assert "same link" in (caught.value.hint or "")

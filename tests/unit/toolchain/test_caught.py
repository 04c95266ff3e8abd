# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Handlers of exceptions: what the compiler makes agrees, and each that is lost or another one is found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from transproc.binary.handlers import PASSES, TABLE, Handlers
from transproc.binary.relocatable import RELOCATION, Relocatable
from transproc.errors import BinaryError
from transproc.toolchain import dual, objects
from transproc.toolchain.driver import execute
from transproc.toolchain.leaves import Leaves, known
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain

SOURCE = """
struct A { int n; }; struct B : A { B(); }; struct C { ~C(); };
namespace { struct Own { long n; }; }
long outside(long);
void use(long);
long several(long n) {
  C guard;
  try { n += outside(n); }
  catch (const A &a) { return outside(a.n); }
  catch (long x) { use(x); return x; }
  catch (...) { C inner; use(1); throw; }
  try { try { n += outside(n + 1); } catch (int i) { C again; n += outside(i); } } catch (const B &) { n += 7; }
  try { use(n); } catch (Own &own) { n += own.n; }
  return n;
}
void only(long n) noexcept { use(n); }
void none(long n) { use(n); use(n + 1); }
void limited(long n) throw(A, long) { use(n); use(n + 1); }
"""
FUNCTIONS = {"_Z7severall", "_Z4onlyl", "_Z7limitedl"}
NUMBER, POINTER = "_ZTIl", "_ZTI1B"


@pytest.fixture(scope="module")
def leaves() -> Leaves:
    return known(toolchain(), of_cxx=True)


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    source = tmp_path_factory.mktemp("caught") / "part.cpp"
    source.write_text(SOURCE)
    output = source.with_suffix(".o")
    execute(parse(["-O2", "-std=c++14", "-w", "-c", str(source), "-o", str(output)], cxx=True), toolchain())
    return dual.split(output.read_bytes(), "part")


class Checked:
    """Checks the object with changes in one half."""

    def __init__(self, place: Path, halves: tuple[bytes, bytes], leaves: Leaves) -> None:
        self._path, self._halves, self._leaves = place / "part.o", halves, leaves

    def problems(self, half: int, *changes: tuple[int, bytes]) -> list[str]:
        """`changes`: bytes at offsets in a half."""
        return self.of({half: changes})

    def of(self, changes: Mapping[int, Iterable[tuple[int, bytes]]]) -> list[str]:
        """Of changes in several halves."""
        data = [bytearray(one) for one in self._halves]
        for half, rows in changes.items():
            for at, new in rows:
                data[half][at : at + len(new)] = new
        dual.write(self._path, *map(bytes, data))
        return objects.check(self._path, self._leaves).problems


@pytest.fixture
def checked(tmp_path: Path, halves: tuple[bytes, bytes], leaves: Leaves) -> Checked:
    return Checked(tmp_path, halves, leaves)


def tables(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Each table's function, and where in the file it begins and ends."""
    elf = Relocatable(data, "half")
    for index, name in enumerate(elf.names):
        if name.startswith(f"{TABLE}.") and not name.startswith(".rela"):
            start = int(elf.sections["offset"][index])
            yield name.removeprefix(f"{TABLE}."), start, start + int(elf.sections["size"][index])


def calls(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Of a table's calls that have a landing pad: where its number is in the file, of how many bytes, and where the action's is.

    Read apart from `transproc.binary.handlers`: these tables are short, so lengths take one byte.
    """
    at = start + 1 if data[start + 1] == 0xFF else start + 2
    while data[at] >= 128:
        at += 1
    assert data[at + 1] == 1
    at += 2
    end = at + 1 + (data[at] & 127) if data[at] < 128 else at + 2 + (data[at] & 127 | data[at + 1] << 7)
    at += 1 if data[at] < 128 else 2
    while at < end:
        fields = []
        for _ in range(4):
            fields.append(at)
            while data[at] >= 128:
                at += 1
            at += 1
        if any(data[fields[2] : fields[3]]):
            yield fields[2], fields[3] - fields[2], fields[3]


def marks(data: bytes) -> list[tuple[int, bytes]]:
    """Where a half says of a call that it has a landing pad, and of which one."""
    own = (
        data[: data.index(b"\x7fELF", 4)] if b"\x7fELF" in data[4:] else data
    )  # the first half holds the second
    found = [(at.start(2), at[1]) for at in re.finditer(rb"([0-9a-f]{16})(!)", own)]
    assert len(found) == 16
    return found


def test_what_the_compiler_makes_agrees(checked: Checked, halves: tuple[bytes, bytes]) -> None:
    assert checked.problems(0) == []
    for data in halves:
        found = {name: len(list(calls(data, start))) for name, start, _ in tables(data)}
        assert found.keys() == FUNCTIONS | {f"{name}.resume" for name in FUNCTIONS}
        assert found["_Z7severall"] >= 9 and found["_Z7severall.resume"] >= 20


@pytest.mark.parametrize("half", [0, 1])
def test_each_landing_pad_that_is_lost(checked: Checked, halves: tuple[bytes, bytes], half: int) -> None:
    """Also those where a resume entry raises an exception, which are no sites; but not one that has none in each copy."""
    tried = 0
    for name, start, _ in tables(halves[half]):
        for pad, size, _ in calls(halves[half], start):
            problems = checked.problems(half, (pad, b"\x80" * (size - 1) + b"\0"))
            assert [p for p in problems if name.removesuffix(".resume") in p], (name, pad, problems)
            tried += 1
    assert tried > 30


@pytest.mark.parametrize("half", [0, 1])
def test_each_list_of_handlers_that_is_another_one(
    checked: Checked, halves: tuple[bytes, bytes], half: int
) -> None:
    """A cleanup in place of handlers, or handlers in place of a cleanup."""
    for name, start, _ in tables(halves[half]):
        actions = [action for _, _, action in calls(halves[half], start)]
        most = max(halves[half][action] for action in actions)
        for action in actions:
            new = 0 if halves[half][action] else most
            problems = checked.problems(half, (action, bytes([new])))
            assert [p for p in problems if name.removesuffix(".resume") in p], (name, action, problems)


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("name", ["_Z7severall", "_Z7severall.resume"])
def test_another_type(checked: Checked, halves: tuple[bytes, bytes], half: int, name: str) -> None:
    """Two types are swapped in one table."""
    data = halves[half]
    elf = Relocatable(data, "half")
    section = elf.find(f"{TABLE}.{name}")
    rows = elf.find(f".rela{TABLE}.{name}")
    assert section is not None and rows is not None
    at = int(elf.sections["offset"][rows])
    places = {
        elf.symbol_name(int(row["symbol"])): (at + index * RELOCATION.itemsize + 12, int(row["symbol"]))
        for index, row in enumerate(np.frombuffer(elf.contents(rows), RELOCATION))
    }
    (first, number), (second, pointer) = places[NUMBER], places[POINTER]
    problems = checked.problems(
        half, (first, pointer.to_bytes(4, "little")), (second, number.to_bytes(4, "little"))
    )
    assert [p for p in problems if "_Z7severall, site" in p and NUMBER in p], problems


def test_an_object_of_an_earlier_version(checked: Checked, halves: tuple[bytes, bytes]) -> None:
    """Its calls have no marks: that nothing was compared is no agreement."""
    found = {half: [(at, b"\t") for at, _ in marks(data)] for half, data in enumerate(halves)}
    problems = checked.of(found)
    assert len(problems) == 2 and all("does not say which calls have landing pads" in p for p in problems)


def test_each_mark_that_is_lost(checked: Checked, halves: tuple[bytes, bytes]) -> None:
    """Of one call, in one half or in both; and all but that one."""
    places = [{site: at for at, site in marks(data)} for data in halves]
    for site in places[0]:
        for lost in ((0,), (1,), (0, 1)):
            problems = checked.of({half: [(places[half][site], b"\t")] for half in lost})
            unsaid = [p for p in problems if "does not say which calls of " in p]
            assert len(unsaid) == len(lost), problems
            assert any("has a landing pad in one half only" in p for p in problems) == (len(lost) == 1)
        problems = checked.of(
            {half: [(at, b"\t") for other, at in places[half].items() if other != site] for half in (0, 1)}
        )
        for name in FUNCTIONS:  # of which one has just one such call
            said = f"does not say which calls of {name} have landing pads"
            assert len([p for p in problems if said in p]) == 2 or name == "_Z4onlyl", problems


def test_an_object_of_an_earlier_version_that_is_joined_with_another_one(
    tmp_path: Path, halves: tuple[bytes, bytes], leaves: Leaves
) -> None:
    """Those of the other one have marks."""
    parts = [tmp_path / "old.o", tmp_path / "new.o"]
    old = [bytearray(data) for data in halves]
    for data in old:
        for at, _ in marks(bytes(data)):
            data[at] = ord("\t")
    dual.write(parts[0], *map(bytes, old))
    source = tmp_path / "new.cpp"
    text = "long outside(long); struct C { ~C(); }; long others(long n) { C guard; return outside(n) + 1; }\n"
    source.write_text(text)
    execute(parse(["-O2", "-c", str(source), "-o", str(parts[1])], cxx=True), toolchain())
    joined = tmp_path / "joined.o"
    execute(parse(["-r", *map(str, parts), "-o", str(joined)], cxx=True), toolchain())
    assert objects.check(parts[1], leaves).problems == []
    problems = objects.check(joined, leaves).problems
    for name in FUNCTIONS:
        said = f"does not say which calls of {name} have landing pads"
        assert len([p for p in problems if said in p]) == 2, problems


def test_an_object_without_tables(checked: Checked, halves: tuple[bytes, bytes]) -> None:
    name = TABLE.encode()
    found = {
        half: [(at.start(), name[:-1] + b"f") for at in re.finditer(re.escape(name), data)]
        for half, data in enumerate(halves)
    }
    problems = checked.of(found)
    for function in FUNCTIONS:
        lost = [p for p in problems if f"{function}, site" in p and "has no landing pad" in p]
        assert [p for p in lost if ", aarch64: " in p] and [p for p in lost if ", aarch64: " not in p], (
            problems
        )


@pytest.mark.parametrize("half", [0, 1])
def test_damaged_tables(checked: Checked, halves: tuple[bytes, bytes], half: int) -> None:
    """Whatever byte of a table is another one: it is found, or is one of a call that has no site; never an error of Python's."""
    found = 0
    for _, start, end in tables(halves[half]):
        for at in range(start, min(end, start + 40), 2):
            new = bytes([halves[half][at] ^ 0x7F])
            found += bool(checked.problems(half, (at, new)))
    assert found > 50


def test_what_is_read(halves: tuple[bytes, bytes]) -> None:
    for data in halves:
        elf = Relocatable(data, "half")
        handlers, places = Handlers(elf), dict(elf.names_of_functions())
        found = {
            name: {handlers.at(place, offset) for offset in range(elf.functions[place][1])} - {("terminate",)}
            for name, place in places.items()
        }
        assert found["_Z4onlyl"] == {("catch ...",)}
        assert found["_Z4nonel"] == {PASSES}
        assert ("catch _ZTI1A", "catch _ZTIl", "catch ...") in found["_Z7severall"]
        assert ("catch _ZTIi", "catch _ZTI1B", "cleanup") in found["_Z7severall"]
        assert any("only _ZTI1A, _ZTIl" in clauses for clauses in found["_Z7limitedl"])


def test_a_number_that_has_no_end(halves: tuple[bytes, bytes]) -> None:
    """A million bytes of it took half a minute: each made a longer number."""
    elf = Relocatable(halves[0] + b"\xff\xff\x01" + b"\xff" * 1_000_000, "half")
    place = dict(elf.names_of_functions())["_Z7severall"]
    section = elf.find(f"{TABLE}._Z7severall")
    assert section is not None
    elf.sections = elf.sections.copy()
    elf.sections["offset"][section], elf.sections["size"][section] = len(halves[0]), 1_000_003
    with pytest.raises(BinaryError, match="a number is too long"):
        Handlers(elf).at(place, 0)


def test_an_encoding_that_llvm_does_not_use(halves: tuple[bytes, bytes]) -> None:
    data = bytearray(halves[0])
    start = next(start for name, start, _ in tables(halves[0]) if name == "_Z7severall")
    data[start + 1] = 0x9B
    elf = Relocatable(bytes(data), "half")
    place = dict(elf.names_of_functions())["_Z7severall"]
    with pytest.raises(BinaryError, match="types' encoding is 0x9b, expected 0x3"):
        Handlers(elf).at(place, 0)

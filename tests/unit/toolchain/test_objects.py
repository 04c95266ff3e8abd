# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The checks of objects hold for what the compiler makes, and fail for each thing that could be wrong."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from transproc.binary.demangle import readable
from transproc.binary.relocatable import Relocatable
from transproc.errors import UnsupportedError
from transproc.run import run
from transproc.toolchain import archive, cxx, dual, objects, omp
from transproc.toolchain.calls import decoder_of
from transproc.toolchain.compile import Codegen, compile_c
from transproc.toolchain.driver import execute
from transproc.toolchain.leaves import Leaves, known
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import Toolchain, toolchain

pytestmark = pytest.mark.toolchain

HANDLERS = {"std::terminate()", "std::__terminate(void (*)())", "__cxa_begin_catch"}
OF_LEAVES = {
    "readEncodedPointer": {"__assert_fail", "abort"},
    "exception_spec_can_catch": HANDLERS,
    "can_catch": {"abort_message"},
    "__clang_call_terminate": {"std::terminate()", "__cxa_begin_catch"},
    "__cxa_call_unexpected": HANDLERS
    | {
        "std::__unexpected(void (*)())",
        "__cxa_allocate_exception",
        "__cxa_end_catch",
        "__cxa_rethrow",
        "__cxa_throw",
    },
    "__gxx_personality_v0": HANDLERS | {"__assert_fail"},
    "unwind": {"abort"},
}
"""What leaves of the C++ library call that is none, by what ends their names."""

SOURCE = """
#include <stdio.h>
#include <string.h>
struct big { long words[100]; };
extern struct big kept;
long outside(struct big *);
__attribute__((noinline)) static long sum(const struct big *b) { return b->words[0] + b->words[99]; }
long use(long n) {
  struct big local = kept;             /* a call of memcpy that only the back end makes */
  for (long i = 0; i < n; i++) n += outside(&local) * i;
  return n + sum(&local);
}
"""


@pytest.fixture(scope="module")
def leaves() -> Leaves:
    return known(toolchain(), of_cxx=True)


def without(leaves: Leaves, name: str) -> Leaves:
    return replace(leaves, names=leaves.names - {name})


def compiled(place: Path, text: str = SOURCE, name: str = "part", *options: str) -> Path:
    source = place / f"{name}.c"
    source.write_text(text)
    execute(parse(["-O2", *options, "-c", str(source), "-o", str(source.with_suffix(".o"))]), toolchain())
    return source.with_suffix(".o")


def take_sites_away(path: Path) -> None:
    """From the tables of both halves."""
    halves = dual.split(path.read_bytes(), "part")
    dual.write(path, *(half.replace(b".llvm_stackmaps", b".llvm_stackmapt") for half in halves))


def expect_found_without_sites(path: Path, leaves: Leaves, call: str) -> None:
    """That call is named of both halves; the file is damaged for that."""
    take_sites_away(path)
    problems = objects.check(path, leaves).problems
    assert [p for p in problems if call in p and ", aarch64: " not in p], problems
    assert [p for p in problems if call in p and ", aarch64: " in p], problems


def test_what_the_compiler_makes_holds(tmp_path: Path, leaves: Leaves) -> None:
    report = objects.check(compiled(tmp_path), leaves)
    assert report.problems == []
    assert (report.members, report.functions, report.sites) == (1, 1, 1)
    assert report.live_values >= 2
    assert report.calls_without_site > 4  # memcpy and sum, in the function and its resume entry, on both ISAs


def test_the_c_library_holds(leaves: Leaves) -> None:
    report = objects.check(toolchain().root / "lib" / "libc.a", leaves)
    assert report.problems == []
    assert report.members > 1000 and report.functions > 800 and report.sites > 3000
    assert report.not_migratable == {}


def test_the_cxx_run_time_holds(leaves: Leaves) -> None:
    """What its leaves call that is none: what ends the program, and handlers that run above a leaf (docs/libc.md)."""
    report = objects.check(cxx.library(toolchain()).directory / cxx.ABI, leaves)
    assert report.problems == []
    assert report.members > 20 and report.functions > 300 and report.sites > 2000
    lines = readable(f"{name}\t{why}" for name, why in report.not_migratable.items())
    found = dict(line.split("\tis a leaf, and calls ") for line in lines)
    short = {
        name.partition("(")[0].rpartition("::")[2]: set(callees.split(", "))
        for name, callees in found.items()
    }
    assert short == OF_LEAVES


@pytest.mark.parametrize("name", ["libc++.a", "libomp.a"])
def test_libraries_of_cxx_hold(leaves: Leaves, name: str) -> None:
    """They are made (a minute of libc++) if no other test has linked a program with them."""
    tools = toolchain()
    path = cxx.library(tools).standard() if name == cxx.STANDARD else omp.library(tools) / "lib" / name
    report = objects.check(path, leaves)
    assert report.problems == []
    assert report.members > 30 and report.functions > 1000 and report.sites > 7000
    assert report.not_migratable == {}


def test_compiler_rt(tmp_path: Path, leaves: Leaves) -> None:
    """Its functions are leaves, but for those that call what has sites; who calls one of these without a site is found."""
    text = """
double divided(__int128 a, __int128 b) { return (double)(a / b) + (double)(a % b); }
extern int errors(void);
int use(__int128 a, __int128 b) { return errors() + (a / b > 3); }
"""
    path = compiled(tmp_path, text)
    report = objects.check(path, leaves)
    assert report.problems == [] and report.functions == 1
    assert report.calls_without_site >= 8
    wrong = replace(leaves, native={isa: names - {"__divti3"} for isa, names in leaves.native.items()})
    problems = objects.check(path, wrong).problems
    assert [p for p in problems if "divided calls __divti3" in p and ", aarch64: " not in p], problems
    assert [p for p in problems if "divided calls __divti3" in p and ", aarch64: " in p], problems
    for isa, names in leaves.native.items():
        assert {"__divti3", "__modti3", "__floattidf", "__udivmodti4"} <= names, isa
        assert not names & {"__emutls_get_address", "__eprintf"}, isa


OF_CXX = """
struct A { virtual ~A(); }; struct B : A { };
int to(A *from) { return dynamic_cast<B *>(from) ? 1 : 2; }
"""


def test_which_objects_are_of_cxx(tmp_path: Path) -> None:
    """Those that may call its leaves: also without exceptions, and in an archive that only names its members."""
    of_c = compiled(tmp_path)
    assert not objects.is_of_cxx(of_c)
    assert not objects.is_of_cxx(toolchain().root / "lib" / "libc.a")
    source = tmp_path / "to.cpp"
    source.write_text(OF_CXX)
    output = source.with_suffix(".o")
    for options in ([], ["-fno-exceptions"]):
        execute(parse(["-O2", *options, "-c", str(source), "-o", str(output)], cxx=True), toolchain())
        assert objects.is_of_cxx(output), options
    thin = tmp_path / "thin.a"
    run([archive.AR, "rcsT", thin, of_c, output])
    assert objects.is_of_cxx(thin)
    unwound = compiled(
        tmp_path, "int _Unwind_Find(void);\nint use(void) { return _Unwind_Find() + 1; }\n", "unwound"
    )
    assert objects.is_of_cxx(unwound)


@pytest.mark.nightly
def test_an_object_of_cxx_where_the_library_was_not_compiled_yet(tmp_path: Path) -> None:
    """As on another machine than that which has compiled it: the library is made. For one of C nothing is."""
    root = tmp_path / "toolchain"
    root.mkdir()
    for part in toolchain().root.iterdir():
        if not part.name.startswith("c++"):
            (root / part.name).symlink_to(part)
    tools = Toolchain(root)
    source = tmp_path / "to.cpp"
    source.write_text(OF_CXX)
    output = source.with_suffix(".o")
    execute(parse(["-O2", "-c", str(source), "-o", str(output)], cxx=True), toolchain())
    assert "__dynamic_cast" not in known(tools, of_cxx=objects.is_of_cxx(compiled(tmp_path))).names
    assert not [path for path in root.iterdir() if path.name.startswith("c++")]
    assert objects.check(output, known(tools, of_cxx=objects.is_of_cxx(output))).problems == []


def test_a_leaf_is_only_what_the_build_has_made_one(tmp_path: Path, leaves: Leaves) -> None:
    """An object that is compiled as a leaf, with a leaf's name, is not the build's: a call without a site is found."""
    source = tmp_path / "abs.c"
    source.write_text("int outside(int);\nint abs(int n) { return outside(n) + 1; }\n")
    path = tmp_path / "abs.o"
    compile_c(source, path, ["-O2"], Codegen(toolchain().codegen, leaf=True))
    problems = objects.check(path, leaves).problems
    assert [p for p in problems if "abs calls outside" in p and ", aarch64: " not in p], problems
    assert [p for p in problems if "abs calls outside" in p and ", aarch64: " in p], problems
    assert objects.check(path, replace(leaves, root=tmp_path)).not_migratable == {
        "abs": "is a leaf, and calls outside"
    }


def test_a_function_with_sites_that_has_the_name_of_a_leaf(tmp_path: Path, leaves: Leaves) -> None:
    """It is in this object: what it is called says nothing. Its call's site is taken away here."""
    for kind in ("", "__attribute__((weak)) "):
        text = f"""
int outside(int);
{kind}__attribute__((noinline)) int abs(int n) {{ return outside(n) + outside(n + 1); }}
int use(int n) {{ return __builtin_abs(n) + abs(n); }}
"""
        path = compiled(tmp_path, text, f"own{len(kind)}", "-fno-builtin")
        assert objects.check(path, leaves).problems == []
        expect_found_without_sites(path, leaves, "use calls abs")


def test_a_call_that_could_reach_a_site(tmp_path: Path, leaves: Leaves) -> None:
    report = objects.check(compiled(tmp_path), without(leaves, "memcpy"))
    assert any("use calls memcpy" in problem for problem in report.problems)
    assert any(", aarch64: " in problem for problem in report.problems)


def test_a_call_of_a_function_that_jumps_to_one_with_a_site(tmp_path: Path, leaves: Leaves) -> None:
    """`pass_on` has no site of its own; it was called with a site, which is taken away from the tables here."""
    text = """
long outside(long);
__attribute__((noinline)) long pass_on(long n) { return outside(n + 1); }
long use(long n) { return pass_on(n) + 1; }
"""
    path = compiled(tmp_path, text)
    report = objects.check(path, leaves)
    assert report.problems == [] and (report.functions, report.sites) == (1, 1)
    expect_found_without_sites(path, leaves, "use calls pass_on")
    assert objects.check(path, replace(leaves, names=leaves.names | {"outside"})).problems == []


def test_a_call_by_a_weak_name(tmp_path: Path, leaves: Leaves) -> None:
    """It may be bound to another object's function, which can reach a site; the call's own is taken away here."""
    text = """
__attribute__((weak, noinline)) long other(long n) { return n * 3; }
long use(long n) { return other(n) + 1; }
"""
    path = compiled(tmp_path, text)
    report = objects.check(path, leaves)
    assert report.problems == [] and report.sites == 1
    expect_found_without_sites(path, leaves, "use calls other")


def test_objects_that_are_joined(tmp_path: Path, leaves: Leaves) -> None:
    """Their stack map is one block for each: all but the first were read with addresses that are not known yet."""
    parts = [
        compiled(tmp_path, SOURCE),
        compiled(
            tmp_path,
            "long outside(long);\nlong more(long n) { return outside(n) + outside(n + 1); }\n",
            "more",
        ),
    ]
    joined = tmp_path / "joined.o"
    execute(parse(["-r", *map(str, parts), "-o", str(joined)]), toolchain())
    report = objects.check(joined, leaves)
    assert report.problems == []
    assert report.sites == sum(objects.check(part, leaves).sites for part in parts) == 3
    take_sites_away(joined)
    assert [p for p in objects.check(joined, leaves).problems if "more calls outside" in p]


def test_halves_of_different_sources(tmp_path: Path, leaves: Leaves) -> None:
    """One value more is live at the call of one half."""
    texts = [
        SOURCE,
        SOURCE.replace("long n) {", "long n) { long m = n * n;").replace("return n +", "return m + n +"),
    ]
    halves = []
    for number, text in enumerate(texts):  # of one name: the ids of sites hold it
        place = tmp_path / str(number)
        place.mkdir()
        halves.append(dual.split(compiled(place, text).read_bytes(), "part"))
    mixed = tmp_path / "mixed.o"
    dual.write(mixed, halves[0][0], halves[1][1])
    problems = objects.check(mixed, leaves).problems
    assert any("in x86_64, " in problem for problem in problems), problems


def test_a_site_of_another_function(tmp_path: Path, leaves: Leaves) -> None:
    file = compiled(tmp_path)
    data = bytearray(file.read_bytes())
    half = Relocatable(bytes(data), "part")
    table = half.find(".transproc.functions")
    assert table is not None
    at = int(half.sections["offset"][table]) + 16
    (identity,) = struct.unpack_from("<Q", data, at)
    struct.pack_into("<Q", data, at, identity ^ 1 << 30)
    file.write_bytes(data)
    assert any("belongs to another function" in problem for problem in objects.check(file, leaves).problems)


def test_foreign_and_damaged_files(tmp_path: Path, leaves: Leaves) -> None:
    foreign = tmp_path / "foreign.o"
    whole = compiled(tmp_path).read_bytes()
    foreign.write_bytes(dual.split(whole, "part")[1])
    assert "not compiled by transproc-cc" in objects.check(foreign, leaves).problems[0]
    cut = tmp_path / "cut.o"
    for size in range(64, len(whole), len(whole) // 50):
        cut.write_bytes(whole[:size])
        assert not objects.check(cut, leaves).agrees


def test_functions_that_are_not_migratable(tmp_path: Path, leaves: Leaves) -> None:
    text = (
        "#include <unistd.h>\nint outside(void);\nint twice(void) { int p = vfork(); outside(); return p; }\n"
    )
    report = objects.check(compiled(tmp_path, text), leaves)
    assert report.problems == []
    assert report.not_migratable == {"twice": "calls a function that returns twice"}


def test_an_isa_without_a_decoder_is_refused() -> None:
    """It fell into another one's: then the proof proved nothing."""
    with pytest.raises(UnsupportedError, match="riscv64 cannot be checked"):
        decoder_of("riscv64")

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Projects built the way their users build them: configure, CMake and Meson, with nothing told but the compiler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transproc.toolchain import dual

pytestmark = pytest.mark.toolchain

CONFIGURE = r"""#!/bin/sh
# What an autoconf script asks of a compiler.
: "${CC:=cc}" "${CXX:=c++}" "${AR:=ar}" "${RANLIB:=ranlib}" "${NM:=nm}"
for option; do case $option in CC=*|CXX=*|AR=*|RANLIB=*|NM=*) eval "${option%%=*}='${option#*=}'" ;; esac; done
try() { # name, program text, then options
  name=$1; printf '%s\n' "$2" > conftest.c; shift 2
  if $CC "$@" conftest.c -o conftest -lm >>config.log 2>&1; then echo "#define $name 1"; else echo "/* #undef $name */"; fi
}
rm -f config.log
printf 'int main(void) { return 0; }\n' > conftest.c
$CC conftest.c || { echo 'C compiler cannot create executables' >&2; exit 77; }
./a.out || { echo 'cannot run C compiled programs' >&2; exit 77; }
printf 'main.o: $(wildcard *.h)\n' > depend
{
  try HAVE_SQRT 'char sqrt(); int main(void) { return sqrt(); }' -fno-builtin
  try HAVE_STRLCPY 'char strlcpy(); int main(void) { return strlcpy(); }'
  try HAVE_NO_SUCH_FUNCTION 'char no_such_function(); int main(void) { return no_such_function(); }'
  try HAVE_SYS_EPOLL_H '#include <sys/epoll.h>
int main(void) { return 0; }'
  try HAVE_WINDOWS_H '#include <windows.h>
int main(void) { return 0; }'
  try LONG_IS_64_BITS 'int main(void) { static int a[1 - 2 * !(sizeof(long) == 8)]; a[0] = 0; return a[0]; }'
  try HAVE_PIC 'int main(void) { return 0; }' -fPIC -Werror
  try HAVE_PTHREAD '#include <pthread.h>
int main(void) { return !pthread_self(); }' -pthread
} > config.h
printf '#include <string>\nint main() { return std::string("x").size() - 1; }\n' > conftest.cc
$CXX -std=c++17 conftest.cc && ./a.out || { echo 'C++ compiler cannot create executables' >&2; exit 77; }
$CC -E conftest.c > /dev/null && $CC -c conftest.c && $NM conftest.o | grep -q main || exit 1
sed "s,@CC@,$CC,; s,@CXX@,$CXX,; s,@AR@,$AR,; s,@RANLIB@,$RANLIB," Makefile.in > Makefile
"""
MAKEFILE = """CC = @CC@
CXX = @CXX@
CXXFLAGS = -O2 -std=c++17 -Wall
CFLAGS = -O2 -g -Wall -fPIC -fstack-protector-strong -include config.h
all: prog
prog: main.o libpart.a
\t$(CC) $(CFLAGS) -Wl,-O1 -Wl,--as-needed -Wl,-z,relro -o $@ main.o -L. -lpart $$(PKG_CONFIG_PATH=. sed -n 's/^Libs: //p' part.pc)
libpart.a: part.o other.o
\trm -f $@
\t@AR@ cruT $@ part.o other.o
\t@RANLIB@ $@
prog-cxx: main.cpp
\t$(CXX) $(CXXFLAGS) -o $@ main.cpp
bare: CXXFLAGS += -fno-exceptions -fno-rtti
bare: bare.cpp libpart.a
%.o: %.c
\t$(CC) $(CFLAGS) -MMD -MP -MF $*.d -c -o $@ $<
"""
SOURCES = {
    "main.c": """#include <stdio.h>
#include "part.h"
int main(void) { printf("%d %s %.3f\\n", part(6), other(), root(2)); return 0; }
""",
    "part.h": "int part(int);\nconst char *other(void);\ndouble root(double);\n",
    "part.c": """#include "part.h"
#include <math.h>
#include <pthread.h>
static _Thread_local int times = 7;
static void *multiply(void *argument) { *(int *)argument *= times; return 0; }
int part(int n) { pthread_t t; pthread_create(&t, 0, multiply, &n); pthread_join(t, 0); return n; }
double root(double x) { return sqrt(x); }
""",
    "other.c": '#include "part.h"\nconst char *other(void) { return "other"; }\n',
    "part.pc": "Libs: -lm -lpthread\n",
    "configure": CONFIGURE,
    "Makefile.in": MAKEFILE,
    "CMakeLists.txt": """cmake_minimum_required(VERSION 3.22)
project(sample C CXX)
find_package(Threads REQUIRED)
include(CheckFunctionExists)
include(CheckIncludeFile)
include(CheckTypeSize)
check_function_exists(strlcpy HAVE_STRLCPY)
check_function_exists(no_such_function HAVE_NO_SUCH_FUNCTION)
check_include_file(sys/epoll.h HAVE_SYS_EPOLL_H)
check_type_size(long LONG)
if(NOT HAVE_STRLCPY OR HAVE_NO_SUCH_FUNCTION OR NOT HAVE_SYS_EPOLL_H OR NOT LONG EQUAL 8)
  message(FATAL_ERROR "wrong answers")
endif()
find_library(FOREIGN z)
if(FOREIGN)
  message(FATAL_ERROR "${FOREIGN} is not for transproc-cc")
endif()
add_library(part part.c other.c)
target_link_libraries(part PUBLIC m Threads::Threads)
add_executable(prog main.c)
target_link_libraries(prog part)
add_executable(bare bare.cpp)
target_link_libraries(bare part)
target_compile_options(bare PRIVATE -fno-exceptions -fno-rtti)
target_compile_features(bare PRIVATE cxx_std_17)
enable_testing()
add_test(NAME runs COMMAND prog)
""",
    "meson.build": """project('sample', 'c', default_options: ['buildtype=debugoptimized', 'warning_level=3'])
cc = meson.get_compiler('c')
assert(cc.has_function('strlcpy') and not cc.has_function('no_such_function'))
assert(cc.has_header('sys/epoll.h') and cc.sizeof('long') == 8)
part = library('part', 'part.c', 'other.c', dependencies: [dependency('threads'), cc.find_library('m')])
executable('prog', 'main.c', link_with: part)
add_languages('cpp', native: false)
assert(meson.get_compiler('cpp').has_argument('-std=c++20'))
executable('prog-cxx', 'main.cpp', link_with: part, override_options: ['cpp_std=c++20'])
""",
    "main.cpp": r"""#include <cstdio>
#include <stdexcept>
int main() {
  try { throw std::range_error("42"); }
  catch (const std::exception &error) { return std::printf("%s other 1.414\n", error.what()) < 0; }
}
""",
    "bare.cpp": r"""#include <cstdio>
#include <memory>
#include <string>
#include <vector>
#if __cpp_exceptions || __cpp_rtti
#error they are off
#endif
extern "C" {
#include "part.h"
}
struct Shape {
  virtual ~Shape() = default;
  virtual std::string name() const = 0;
};
struct Answer : Shape {
  std::string name() const override { return std::to_string(part(6)); }
};
int main() {
  std::vector<std::unique_ptr<Shape>> shapes;
  shapes.push_back(std::make_unique<Answer>());
  for (auto &shape : shapes)
    std::printf("%s %s %.3f\n", shape->name().c_str(), other(), root(2));
}
""",
}
OUTPUT = b"42 other 1.414\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "configure").chmod(0o755)
    # The commands of the environment that runs the tests.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for name in ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def do(*words: str, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_program(program: Path) -> None:
    for isa in dual.MACHINES:
        binary = f"{program}.{isa}"
        words = [binary] if isa == os.uname().machine else [f"qemu-{isa}", binary]
        assert subprocess.run(words, capture_output=True, check=True, timeout=60).stdout == OUTPUT


def test_configure_and_make(project: Path) -> None:
    do("./configure", "CC=transproc-cc", "CXX=transproc-c++", "AR=ar", "RANLIB=ranlib", cwd=project)
    assert (project / "config.h").read_text().splitlines() == [
        "#define HAVE_SQRT 1",
        "#define HAVE_STRLCPY 1",
        "/* #undef HAVE_NO_SUCH_FUNCTION */",
        "#define HAVE_SYS_EPOLL_H 1",
        "/* #undef HAVE_WINDOWS_H */",
        "#define LONG_IS_64_BITS 1",
        "#define HAVE_PIC 1",
        "#define HAVE_PTHREAD 1",
    ]
    do("make", cwd=project)
    assert (project / "libpart.a").read_bytes().startswith(b"!<thin>\n")
    assert (project / "main.d").read_text().startswith("main.o: main.c")
    check_program(project / "prog")
    do("make", "prog-cxx", "bare", cwd=project)
    for program in ("prog-cxx", "bare"):
        check_program(project / program)


def test_cmake(project: Path) -> None:
    toolchain = do("transproc-cc", "--print-cmake-toolchain", cwd=project).strip()
    do("cmake", "-G", "Ninja", "--toolchain", toolchain, "-S", ".", "-B", "build", cwd=project)
    do("cmake", "--build", "build", cwd=project)
    do("ctest", "--test-dir", "build", cwd=project)
    for program in ("prog", "bare"):
        check_program(project / "build" / program)


def test_cmake_links_openmp(project: Path) -> None:
    """By the target that its module makes, as libraries do whose users are linked without the option."""
    (project / "CMakeLists.txt").write_text("""cmake_minimum_required(VERSION 3.22)
project(sample C)
find_package(OpenMP REQUIRED)
add_library(sum sum.c)
target_link_libraries(sum PUBLIC OpenMP::OpenMP_C)
add_executable(prog main.c)
target_link_libraries(prog sum)
""")
    (project / "sum.c").write_text("""#include <omp.h>
int sum(int n) {
  int total = 0;
#pragma omp parallel for reduction(+ : total) num_threads(2)
  for (int i = 0; i <= n; i++)
    total += i * (omp_get_num_threads() == 2);
  return total;
}
""")
    (project / "main.c").write_text(
        '#include <stdio.h>\nint sum(int);\nint main(void) { printf("%d other 1.414\\n", sum(8) + 6); }\n'
    )
    toolchain = do("transproc-cc", "--print-cmake-toolchain", cwd=project).strip()
    do("cmake", "-G", "Ninja", "--toolchain", toolchain, "-S", ".", "-B", "build", cwd=project)
    do("cmake", "--build", "build", cwd=project)
    check_program(project / "build" / "prog")


def test_meson(project: Path) -> None:
    native = do("transproc-cc", "--print-meson-native", cwd=project).strip()
    do("meson", "setup", "--native-file", native, "build", cwd=project)
    do("meson", "compile", "-C", "build", cwd=project)
    for program in ("prog", "prog-cxx"):
        check_program(project / "build" / program)


def test_assembly_round_trip(project: Path) -> None:
    """What -S writes is assembled to the same program."""
    do("transproc-cc", "-O2", "-S", "part.c", cwd=project)
    assert (project / "part.aarch64.s").exists()
    do("transproc-cc", "-c", "part.s", cwd=project)
    do("transproc-cc", "-O2", "main.c", "part.o", "other.c", "-lm", "-o", "prog", cwd=project)
    check_program(project / "prog")

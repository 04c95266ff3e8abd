# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc stress`: finished programs migrate onto themselves, and a wrong site index is noticed."""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
from pathlib import Path

import pytest

from transproc.binary.sites import MAGIC
from transproc.cli import example
from transproc.cli.main import run as transproc
from transproc.process.selfmove import Plan, Work, stress
from transproc.run import run
from transproc.toolchain.recipe import Recipe, Scenario

pytestmark = pytest.mark.toolchain

PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static long deep(long n, const long *up) { long here = n + *up; return n ? deep(n - 1, &here) + here % 7 : here; }
static void *work(void *result)
{
	double sum = 0;
	for (int i = 0; i < 100000; i++) { long zero = i; sum += (double)deep(40, &zero) / 3; }
	*(double *)result = sum;
	return 0;
}
int main(int argc, char **argv)
{
	double sums[3];
	pthread_t threads[3];
	char line[64];
	for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, work, &sums[i]);
	for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
	while (fgets(line, sizeof line, stdin)) printf("read %s", line);
	FILE *out = fopen("result", "w");
	for (int i = 0; i < 3; i++) fprintf(out, "%.17g\n", sums[i]);
	return fclose(out) || argc != 2 ? 1 : atoi(argv[1]);
}
"""
ARGUMENTS = r"""
#include <stdio.h>
__attribute__((noinline)) static long leaf(long n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
/* On x86_64 the last three come on the stack, and keep their places there as home objects: in the caller's frame. */
__attribute__((noinline)) static long many(long a, long b, long c, long d, long e, long f, long *sum, long *count, long last)
{
	for (long i = 0; i < a; i++) *sum += leaf(b + i % 3);
	*sum += leaf(c); *count += leaf(d); *sum -= leaf(e); *count += leaf(f); *sum += leaf(last % 7);
	return *sum + *count + last;
}
int main(void)
{
	long sum = 0, count = 0, total = 0;
	volatile long five = 5;
	for (long i = 0; i < 60000; i++) total ^= many(five, five, five, five, five, five, &sum, &count, i);
	return printf("%ld %ld %ld\n", sum, count, total) < 0;
}
"""
THROWS = r"""
#include <cstdio>
#include <thread>
#include <vector>
__attribute__((noinline)) static long leaf(long n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
struct Guard { long &sum; ~Guard() { sum += leaf(6); } };
__attribute__((noinline)) static void inner(long &sum, long i) { Guard guard{sum}; if (leaf(4) + i % 3 != 3) throw i; sum++; }
__attribute__((noinline)) static void outer(long &sum, long i) { Guard guard{sum}; inner(sum, i); sum ^= i; }
static void work(long *result)
{
	long sum = 0;
	for (long i = 0; i < 30000; i++)
		try { outer(sum, i); } catch (long number) { sum += number; }
	*result = sum;
}
int main()
{
	long sums[3];
	std::vector<std::thread> threads;
	for (long &sum : sums) threads.emplace_back(work, &sum);
	for (std::thread &thread : threads) thread.join();
	return std::printf("%ld %ld %ld\n", sums[0], sums[1], sums[2]) < 0;
}
"""
SAME = r"""
#include <stdio.h>
#include <sys/stat.h>
__attribute__((noinline)) static long leaf(long n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
int main(void)
{
	struct stat first, now;
	long sum = 0, same = 0;
	stat("/", &first);
	for (int i = 0; i < 20000; i++) {
		sum += leaf(9);
		stat("/", &now);
		same += now.st_dev == first.st_dev && now.st_ino == first.st_ino;
	}
	return printf("%ld %ld\n", sum, same) < 0;
}
"""
FORKS = r"""
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) static long leaf(long n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
static volatile int ended;
static void *work(void *sum) { while (!ended) *(long *)sum += leaf(9); return 0; }
int main(void)
{
	int good = 0, status;
	long sums[2] = { 0 };
	pthread_t threads[2];
	for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, work, &sums[i]);
	for (int i = 0; i < 3000; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(leaf(5) != 5);
		good += waitpid(child, &status, 0) == child && status == 0;
	}
	ended = 1;
	for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
	return printf("%d\n", good) < 0;
}
"""
DIFFERENT = r"""
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) static long leaf(long n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
int main(void)
{
	char name[40];
	snprintf(name, sizeof name, "%d.log", getpid());
	FILE *log = fopen(name, "w"), *out = fopen("result", "w");
	fprintf(log, "%ld\n", leaf(27));
	fprintf(out, "%ld\n", leaf(26));
	printf("sum %ld\npid %d\n", leaf(25), getpid());
	return fclose(log) || fclose(out);
}
"""
BLOCKS = r"""
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
__attribute__((noinline)) static long leaf(long n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
static long rounds, sum, traps;
static void on_user(int signal) { sum += leaf(7) + signal; }
static void on_trap(int signal) { traps += leaf(7) + signal; }
static void *work(void *result)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, 0);
	for (long i = 0; i < 10 * rounds; i++) *(long *)result += leaf(9);
	return 0;
}
int main(int argc, char **argv)
{
	pthread_t thread;
	struct epoll_event event;
	struct sigaction action = { .sa_handler = on_user };
	const struct timespec second = { 1, 0 };
	sigset_t all, open;
	int queue = epoll_create1(0);
	long result = argc;
	rounds = atol(argv[1]);
	sigfillset(&action.sa_mask);
	sigaction(SIGUSR1, &action, 0);
	signal(SIGTRAP, on_trap);
	pthread_create(&thread, 0, work, &result);
	for (long i = 0; i < rounds; i++) raise(SIGTRAP);
	sigfillset(&all);
	sigfillset(&open);
	sigdelset(&open, SIGUSR1);
	sigprocmask(SIG_BLOCK, &all, 0);
	for (long i = 0; i < rounds; i++) {
		sum += leaf(5);
		raise(SIGUSR1);
		if (i % 4 == 0) sigsuspend(&open);
		else if (i % 4 == 1) ppoll(0, 0, &second, &open);
		else if (i % 4 == 2) pselect(0, 0, 0, 0, &second, &open);
		else epoll_pwait(queue, &event, 1, 1000, &open);
	}
	pthread_join(thread, 0);
	signal(SIGTRAP, SIG_IGN);
	raise(SIGTRAP);
	printf("%ld %ld %ld %d\n", sum, traps, result, signal(SIGTRAP, SIG_DFL) == SIG_IGN);
	fflush(stdout);
	sigprocmask(SIG_UNBLOCK, &all, 0);
	raise(SIGTRAP);
	return 0;
}
"""
SPAWNS = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) static long leaf(long n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
static volatile long traps;
static void on_trap(int signal) { traps += leaf(5) + signal; }
int main(int argc, char **argv)
{
	long sum = 0, failed = 0;
	signal(SIGTRAP, on_trap);
	for (int i = atoi(argv[1]); i; i--) {
		sum += leaf(14);
		failed += system("true") != 0;
		raise(SIGTRAP);
	}
	return printf("%ld %ld %ld\n", sum, failed, traps) < 0;
}
"""
KINDS = {"register": 1, "indirect": 3}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("selfmove")
    (place / "prog.c").write_text(PROGRAM)
    run(["transproc-cc", "-O2", place / "prog.c", "-o", place / "prog"], timeout=300)
    return place / "prog"


def test_arguments_on_the_stack(tmp_path: Path) -> None:
    """An object of a frame may lie in its caller's: it stays what it is."""
    (tmp_path / "many.c").write_text(ARGUMENTS)
    run(["transproc-cc", "-O2", tmp_path / "many.c", "-o", tmp_path / "many"], timeout=300)
    verdict = stress(Work(tmp_path / "many", []), "x86_64", Plan(1, 5000.0, 20))
    assert verdict.differences == []
    assert verdict.migrations > 5


def test_a_thread_moves_while_its_stack_is_unwound(tmp_path: Path) -> None:
    """Each thread moves alone, here: what it has found before a destructor is looked for again behind it."""
    source, binary = tmp_path / "throws.cpp", tmp_path / "throws"
    source.write_text(THROWS)
    run([Path(sys.executable).with_name("transproc-c++"), "-O2", source, "-o", binary])
    for isa in ("x86_64", "aarch64"):
        verdict = stress(Work(binary), isa, Plan(seed=1, rate=3000, seconds=10))
        assert verdict.passed, verdict
        assert verdict.migrations > 100


def test_a_file_is_the_same_one_after_each_move(tmp_path: Path) -> None:
    """A real migration counts in the device numbers of files that it has not seen; there is none."""
    source, binary = tmp_path / "same.c", tmp_path / "same"
    source.write_text(SAME)
    run([Path(sys.executable).with_name("transproc-cc"), "-O2", source, "-o", binary])
    verdict = stress(Work(binary), os.uname().machine, Plan(seed=1, rate=3000, seconds=10))
    assert verdict.passed, verdict
    assert verdict.migrations > 100


def test_children_do_not_wait_for_threads_that_they_have_not(tmp_path: Path) -> None:
    """A program is forked while its breakpoints are planted: the child gets on without who plants them."""
    (tmp_path / "forks.c").write_text(FORKS)
    run(["transproc-cc", "-O2", tmp_path / "forks.c", "-o", tmp_path / "forks"], timeout=300)
    verdict = stress(Work(tmp_path / "forks", timeout=60), "x86_64", Plan(1, 20000.0, 5))
    assert verdict.differences == []
    assert verdict.migrations > 5


@pytest.mark.parametrize(("isa", "rate", "rounds"), [("x86_64", 3000.0, 20000), ("aarch64", 2000.0, 4000)])
def test_programs_that_block_all_signals_or_handle_traps(
    tmp_path: Path, isa: str, rate: float, rounds: int
) -> None:
    """A breakpoint in a thread that blocks SIGTRAP is the process' end, so it blocks all the others only."""
    source, binary = tmp_path / "blocks.c", tmp_path / "blocks"
    source.write_text(BLOCKS)
    run([Path(sys.executable).with_name("transproc-cc"), "-O2", source, "-o", binary])
    verdict = stress(Work(binary, [str(rounds)], timeout=60), isa, Plan(1, rate, 20))
    assert verdict.passed, verdict
    assert verdict.migrations > 20


@pytest.mark.parametrize("isa", ["x86_64", "aarch64"])
def test_children_with_small_stacks_meet_no_breakpoint(tmp_path: Path, isa: str) -> None:
    """The child of `system` has 5 kB until it is another program, and a signal's frame on aarch64 takes most of that."""
    source, binary = tmp_path / "spawns.c", tmp_path / "spawns"
    source.write_text(SPAWNS)
    run([Path(sys.executable).with_name("transproc-cc"), "-O2", source, "-o", binary])
    verdict = stress(Work(binary, ["200"], timeout=60), isa, Plan(1, 3000.0, 5))
    assert verdict.passed, verdict
    assert verdict.migrations > 20


def test_a_recipe_says_what_any_two_runs_do_differently(tmp_path: Path) -> None:
    """`transproc example --stress`: the rest is compared, and the moved run is judged by the recipe's own check."""
    (tmp_path / "different.c").write_text(DIFFERENT)
    run(["transproc-cc", "-O2", tmp_path / "different.c", "-o", tmp_path / "different"], timeout=300)

    def differences(**fields: str) -> list[str]:
        scenario = Scenario("s", run="different", prepare="echo old > kept", **fields)
        recipe = Recipe("different", "true", (scenario,))
        (verdict,) = example.stressed(recipe, scenario, tmp_path, {"x86_64": Plan(1, 2000.0, 5)}, timeout=60)
        assert verdict.migrations > 5
        return verdict.differences

    patterns = {"varying": "pid [0-9]+", "ignore": "*.log"}
    both = "grep -qx 121393 work/result && grep -qx 196418 work/*.log && grep -q 'sum 75025' stdout && grep -q old work/kept"
    assert differences(**patterns, check=both) == []
    assert "standard output differs" in differences(ignore="*.log")
    assert len(differences(varying="pid [0-9]+")) == 2
    (wrong,) = differences(**patterns, check="echo wrong sum; exit 3")
    assert "wrong sum" in wrong


@pytest.mark.parametrize(("isa", "rate", "rounds"), [("x86_64", 2000.0, 300000), ("aarch64", 200.0, 20000)])
def test_longjmp_finds_functions_that_have_migrated_since_setjmp(
    tmp_path: Path, isa: str, rate: float, rounds: int
) -> None:
    source = Path(__file__).parents[1] / "programs" / "jumps.c"
    run(["transproc-cc", "-O2", "-std=gnu11", source, "-o", tmp_path / "jumps"], timeout=300)
    verdict = stress(Work(tmp_path / "jumps", [str(rounds)]), isa, Plan(1, rate, 20))
    assert verdict.differences == []
    assert verdict.migrations > 20


@pytest.mark.parametrize(("isa", "rate"), [("x86_64", 2000.0), ("aarch64", 100.0)])
def test_threads_files_input_and_status_are_those_of_a_plain_run(
    program: Path, isa: str, rate: float
) -> None:
    verdict = stress(Work(program, ["7"], b"one\ntwo\n"), isa, Plan(1, rate, 20))
    assert verdict.differences == []
    assert verdict.migrations > 5
    assert verdict.frames > verdict.migrations


def test_wrong_locations_are_noticed(program: Path, tmp_path: Path) -> None:
    """Every value said to be in memory is looked for 8 bytes away from where it is."""
    for suffix in ("", ".x86_64", ".aarch64"):
        shutil.copy2(f"{program}{suffix}", tmp_path / f"prog{suffix}")
    broken = tmp_path / "prog.x86_64"
    data = bytearray(broken.read_bytes())
    base = bytes(data).index(MAGIC)
    offset, count = struct.unpack_from("<II", data, base + 72 + 8 * 2)
    for at in range(base + offset, base + offset + 8 * count, 8):
        kind, _size, _register, place = struct.unpack_from("<BBHi", data, at)
        if kind == KINDS["indirect"]:
            struct.pack_into("<i", data, at + 4, place + 8)
        elif kind == KINDS["register"]:
            struct.pack_into("<H", data, at + 2, 6)  # rbp
    broken.write_bytes(data)
    verdict = stress(Work(tmp_path / "prog", ["7"], timeout=60), "x86_64", Plan(1, 2000.0, 20))
    assert verdict.migrations > 0
    assert verdict.differences != []


def test_stripped_programs_are_refused_with_the_remedy(program: Path, tmp_path: Path) -> None:
    run(["transproc-cc", "-s", program.with_suffix(".c"), "-o", tmp_path / "prog"], timeout=300)
    verdict = stress(Work(tmp_path / "prog", ["7"]), "x86_64", Plan(1, 1000.0, 5))
    assert not verdict.passed
    assert verdict.note == "the program has no symbol table: link it without -s"


def test_command_line(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["stress", "--json", "--isa", "x86_64", "--rate", "2000", "--seed", "3", "--", str(program), "0"]
    assert transproc(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["seed"], found["passed"]) == (3, True)
    assert found["results"][0]["migrations"] > 0


def test_unknown_isa(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert transproc(["stress", "--isa", "riscv64", "--", str(program)]) == 2
    assert "expected x86_64, aarch64 or both" in capsys.readouterr().err

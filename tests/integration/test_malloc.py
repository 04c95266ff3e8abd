# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""malloc: of programs that never free, what it hands out, and how often it asks the kernel; of others, the sizes of blocks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.workloads import WITH_PASS
from transproc import isa

pytestmark = pytest.mark.toolchain
PROGRAM = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct { unsigned char *at; size_t size; } blocks[4000];
static unsigned count;

static void take(size_t size)
{
	unsigned char *at = malloc(size);
	if (!at || (uintptr_t)at % 16)
		exit(2);
	for (size_t i = 0; i < size; i++)
		if (at[i])
			exit(3);
	memset(at, count % 255 + 1, size);
	blocks[count].at = at;
	blocks[count++].size = size;
}

int main(void)
{
	char *top = sbrk(0);
	unsigned moved = 0;
	for (unsigned i = 0; i < 2000; i++) {
		take(i % 7 == 6 ? i * 11 : 56);
		moved += sbrk(0) != top;
		top = sbrk(0);
	}
	if ((uintptr_t)blocks[0].at % 64 != 32)
		return 4;
	if (mmap(top, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)top)
		return 5;
	for (unsigned i = 0; i < 1000; i++)
		take(i % 9 ? i : i * 1000); /* the break cannot move any more */
	void *volatile none = malloc(SIZE_MAX / 2 + 2);
	if (sbrk(0) != top || none)
		return 6;
	for (unsigned i = 0; i < count; i++)
		for (size_t k = 0; k < blocks[i].size; k++)
			if (blocks[i].at[k] != i % 255 + 1)
				return 7;
	printf("%u\n", moved);
	return 0;
}
"""


def test_blocks_are_apart_aligned_and_zero_and_the_kernel_is_seldom_asked(tmp_path: Path) -> None:
    source = tmp_path / "hoard.c"
    source.write_text(PROGRAM)
    program = WITH_PASS.build(source, tmp_path, "x86_64")
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.returncode
    assert 1 <= int(done.stdout) < 40, "some 3 MB, 128 kB at a time"


SIZES = r"""
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t sum;

static unsigned char *take(size_t alignment, size_t size)
{
	unsigned char *at = alignment ? aligned_alloc(alignment, size) : malloc(size);
	size_t usable = malloc_usable_size(at);
	if (!at || (uintptr_t)at % (alignment ? alignment : size > 8 ? 16 : 8) || usable < size)
		exit(2);
	sum = sum * 31 + usable;
	memset(at, size % 255, usable); /* nobody else's, as the checks of the others show */
	return at;
}

static void check(unsigned char *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] != size % 255)
			exit(3);
}

static size_t last_of(const size_t *sizes, unsigned kinds)
{
	static unsigned char *blocks[100];
	for (unsigned i = 0; i < 100; i++)
		blocks[i] = take(0, sizes[i % kinds]);
	size_t usable = malloc_usable_size(blocks[99]);
	for (unsigned i = 0; i < 100; i++) {
		check(blocks[i], sizes[i % kinds]);
		free(blocks[i]);
	}
	return usable;
}

int main(void)
{
	static struct { unsigned char *at; size_t size; } held[256];
	unsigned long long random = 1;
	for (unsigned i = 0; i < 60000; i++) {
		random = random * 6364136223846793005 + 1442695040888963407;
		unsigned k = random >> 56, doubling = random >> 52 & 15;
		if (held[k].at)
			check(held[k].at, held[k].size);
		size_t size = (16 + (random >> 32 & 15)) << doubling % 14 >> 1;
		if (i / 8 % 2)
			size = 2064 + i / 5000 * 2000; /* the same again and again */
		if (i % 5 == 0 && held[k].at) {
			held[k].at = realloc(held[k].at, size);
			memset(held[k].at, size % 255, size);
		} else {
			free(held[k].at);
			held[k].at = take(i % 3 ? 0 : 16 << doubling, size);
		}
		held[k].size = size;
	}
	for (size_t size = 1; size < 140000; size += size < 9000 ? 1 : 61)
		free(take(0, size));
	static const size_t row[] = {2064}, rows[] = {2064, 2300}, large[] = {100000}, small[] = {1024}, most[] = {131072};
	printf("%zu %zu %zu ", last_of(row, 1), last_of(rows, 2), last_of(large, 1));
	printf("%zu %zu\n%zx\n", last_of(small, 1), last_of(most, 1), sum);
	return 0;
}
"""


LARGE = r"""
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1 << 20, COUNT = 29 };
static unsigned char *volatile blocks[COUNT];

static void *first_of_a_thread(void *unused)
{
	return calloc(1, SIZE);
}

static int is(const unsigned char *at, int value, size_t size)
{
	return at && at[0] == value && !memcmp(at, at + 1, size - 1);
}

int main(void)
{
	for (unsigned i = 0; i < COUNT; i++) {
		blocks[i] = malloc(SIZE);
		memset(blocks[i], i, SIZE);
		for (unsigned k = 0; k < i; k++) /* of each of many arrays the same element is in another line of a cache */
			if ((uintptr_t)blocks[i] % 4096 / 64 == (uintptr_t)blocks[k] % 4096 / 64)
				return 2;
	}
	for (unsigned i = 0; i < COUNT; i++) {
		unsigned char *grown = realloc(blocks[i], SIZE + 100000 * i);
		if (!is(grown, i, SIZE))
			return 3;
		free(grown);
	}
	unsigned char *before = malloc(SIZE);
	memset(before, 1, SIZE);
	free(before);
	unsigned char *cleared = calloc(1, SIZE); /* the block that was just freed */
	if (((uintptr_t)before ^ (uintptr_t)cleared) / 4096 || !is(cleared, 0, SIZE))
		return 4;
	free(cleared);
	for (size_t size = 130000; size < 5000000; size += 77777) {
		unsigned char *one = malloc(size), *other = malloc(size / 2), *aligned = aligned_alloc(65536, size);
		if ((uintptr_t)aligned % 65536)
			return 5;
		memset(one, 1, size), memset(other, 2, size / 2), memset(aligned, 3, size);
		if (!is(one, 1, size) || !is(other, 2, size / 2) || !is(aligned, 3, size))
			return 6;
		free(aligned), free(one), free(other);
	}
	pthread_t thread;
	void *made;
	if (pthread_create(&thread, 0, first_of_a_thread, 0) || pthread_join(thread, &made) || !is(made, 0, SIZE))
		return 7;
	memset(made, 1, SIZE);
	free(made);
	errno = 0;
	void *(*volatile taking)(size_t) = malloc; /* the compiler takes for granted that malloc leaves errno alone */
	void *none = taking(PTRDIFF_MAX);
	return none || errno != ENOMEM ? 8 : 0;
}
"""


def test_large_blocks_begin_in_lines_of_their_own_and_the_last_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "large.c"
    source.write_text(LARGE)
    for one in isa.ALL:
        words = [WITH_PASS.build(source, tmp_path, one.name)]
        if one.name != os.uname().machine:
            words.insert(0, Path(f"qemu-{one.name}"))
        done = subprocess.run(words, check=False, timeout=60)
        assert done.returncode == 0, (one.name, done.returncode)


def test_a_row_of_blocks_of_one_size_wastes_little_and_blocks_of_many_sizes_share_pages(
    tmp_path: Path,
) -> None:
    source = tmp_path / "sizes.c"
    source.write_text(SIZES)
    found = []
    for one in isa.ALL:
        words = [WITH_PASS.build(source, tmp_path, one.name)]
        if one.name != os.uname().machine:
            words.insert(0, Path(f"qemu-{one.name}"))
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, (one.name, done.returncode)
        found.append(done.stdout)
    assert found[0].splitlines()[0] == "2176 2560 102400 1024 131072"
    assert found[0] == found[1], "the same sizes on every ISA"

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""malloc of programs that never free: what it hands out, and how often it asks the kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.workloads import WITH_PASS

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

/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// malloc of programs that neither free nor resize: blocks one behind the other. Others get allocator.c's instead, which defines
// __libc_malloc_impl.

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "libc.h"
#include "lock.h"
#include "syscall.h"
#include "fork_impl.h"

#define ALIGN 16
#define LINE 64
#define FIRST (LINE / 2) // where in a line the first block begins, as in glibc's heap: of blocks of a line's size, visited in the order in which they
                         // were made, the end of each brings the beginning of the next (Olden/tsp takes a third more time otherwise)
#define STEP (128 * 1024UL) // by which memory grows, as glibc's: a system call for each page took longer than all else

static volatile int lock[1];
volatile int *const __bump_lockptr = lock;

static uintptr_t next, end; // of the memory that is left
static uintptr_t top;       // of the kernel's break, while end is it
static int mapping;         // the break could not be moved any more

static int move_break(size_t size)
{
	if (!top) {
		top = __syscall(SYS_brk, 0);
		end = top;
		next = top + (FIRST - top & LINE - 1);
	}
	if (mapping || __syscall(SYS_brk, top + size) != top + size)
		return 0;
	end = top += size;
	return 1;
}

static void *map(size_t size)
{
	mapping = 1;
	void *mapped = __mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mapped == MAP_FAILED ? 0 : mapped;
}

static void *take(size_t size)
{
	if (size > end - next || next > end) {
		size_t more = size + LINE + STEP - 1 & -STEP;
		if (!move_break(more)) {
			if (size >= STEP / 8)
				return map(size + PAGE_SIZE - 1 & -PAGE_SIZE); // and go on with what is left
			void *area = map(STEP);
			if (!area)
				return 0;
			next = (uintptr_t)area + FIRST;
			end = (uintptr_t)area + STEP;
		}
	}
	void *block = (void *)next;
	next += size;
	return block;
}

static void *__simple_malloc(size_t size)
{
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return 0;
	}
	LOCK(lock);
	void *block = take(size ? size + ALIGN - 1 & -ALIGN : ALIGN);
	UNLOCK(lock);
	return block;
}

weak_alias(__simple_malloc, __libc_malloc_impl);

void *__libc_malloc(size_t size)
{
	return __libc_malloc_impl(size);
}

static void *default_malloc(size_t size)
{
	return __libc_malloc_impl(size);
}

weak_alias(default_malloc, malloc);

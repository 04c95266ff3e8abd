/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// malloc and its like: mimalloc, compiled as a whole, with what it wants of an operating system in a few lines.
//
// It is compiled as a leaf: no thread is ever stopped within it, so a heap is consistent at every pause, and its state is the same on every
// ISA: bytes at addresses. Its settings are fixed, not read from the environment.

#define _DEFAULT_SOURCE
#include <errno.h>
#include <elf.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "allocator.h"
#include "libc.h"
#include "atomic.h"
#include "pthread_impl.h"
#include "syscall.h"

// ---- system calls: leaves, unlike those of the library -------------------------------------------------------------

// Named as the runtime's own functions are, of which transproc check knows that they end what they are called for before a stack is read: a
// thread that is met in such a call, which blocks on nothing but the kernel's own locks, goes on to its next point.
static __attribute__((noinline)) long __transproc_heap_call(long number, long a, long b, long c, long d)
{
	long result = __syscall(number, a, b, c, d, -1, 0);
	__asm__("" : "+r"(result)); // else the call is a jump, and so the caller's
	return result;
}

static inline void *heap_mmap(void *at, size_t size, int protection, int flags)
{
	unsigned long result = __transproc_heap_call(SYS_mmap, (long)at, size, protection, flags);
	return result > -4096UL ? MAP_FAILED : (void *)result;
}

static inline int heap_call(long result)
{
	return result ? -1 : 0;
}

// The heap of a thread is given back when it ends (allocator_threads.c).
static inline void end_with_thread(void *heap)
{
	struct pthread *self = __pthread_self();
	if (__transproc_heap_key >= 0 && self->tsd) {
		self->tsd[__transproc_heap_key] = heap;
		self->tsd_used = 1;
	}
}

#undef __linux__ // no questions to /proc and /sys
#define mmap(at, size, protection, flags, file, offset) heap_mmap(at, size, protection, flags)
#define munmap(at, size) heap_call(__transproc_heap_call(SYS_munmap, (long)(at), size, 0, 0))
#define madvise(at, size, advice) heap_call(__transproc_heap_call(SYS_madvise, (long)(at), size, advice, 0))
#define mprotect(at, size, protection) heap_call(__transproc_heap_call(SYS_mprotect, (long)(at), size, protection, 0))
#define sysconf(what) PAGE_SIZE
#define strerror(number) ""
#define sleep(seconds) ((void)0)
#define atexit(function) ((void)0)
#define abort a_crash
#define constructor unused
#define pthread_key_t int
#define pthread_key_create(key, function) (*(key) = 0, (void)(function))
#define pthread_setspecific(key, heap) end_with_thread(heap)
#define _mi_heap_default_key __transproc_unused_key

#undef weak
#define weak unused

// Nothing of it is seen outside: a program may have a mimalloc of its own, and functions that are not used go.
#pragma clang attribute push(__attribute__((internal_linkage)), apply_to = function)
#define _mi_heap_default __transproc_heap_default
#define _mi_heap_empty __transproc_heap_empty
#define _mi_heap_main __transproc_heap_main
#define _mi_numa_node_count __transproc_heap_nodes
#define _mi_page_empty __transproc_heap_page_empty
#define _mi_process_is_initialized __transproc_heap_ready
#define _mi_stats_main __transproc_heap_statistics

// ---- sizes above 1 KiB ---------------------------------------------------------------------------------------------

// mimalloc has four sizes to the doubling, so that rows of 2,064 bytes take 2,560 each: a quarter more lines and pages pass by, and what a
// processor fetches ahead is not the next row. Sixteen sizes to the doubling keep them together, but a heap of blocks of every size would have
// four times as many pages that are hardly used. So a block has one of the close sizes only if those before it of its wide size had the same;
// the wide sizes are among the close ones. toolchain/libc/allocator.py puts these into mimalloc's source.

#define HEAP_CLOSE 4      // log2 of the close sizes to a doubling
#define HEAP_WIDE 2       // of the wide ones: mimalloc's own
#define HEAP_FIRST 10     // log2 of where they begin: MI_SMALL_SIZE_MAX, the largest size of the fast way
#define HEAP_DOUBLINGS 7  // to MI_MEDIUM_OBJ_SIZE_MAX, 128 KiB
#define HEAP_FIRST_BIN 25 // of mimalloc's, for what is larger than 1 KiB
#define HEAP_HUGE_BIN (HEAP_FIRST_BIN + (HEAP_DOUBLINGS << HEAP_CLOSE))
#define HEAP_RUNS (HEAP_DOUBLINGS << HEAP_WIDE)
#define HEAP_ALIKE 16 // so many blocks before it

#define HEAP_EIGHT(unit, n) \
	QNULL((n + 1) * (unit)), QNULL((n + 2) * (unit)), QNULL((n + 3) * (unit)), QNULL((n + 4) * (unit)), QNULL((n + 5) * (unit)), \
		QNULL((n + 6) * (unit)), QNULL((n + 7) * (unit)), QNULL((n + 8) * (unit))
#define HEAP_DOUBLING(unit) HEAP_EIGHT(unit, 16), HEAP_EIGHT(unit, 24) // of 16 units; in words
#define MI_PAGE_QUEUES_EMPTY \
	{QNULL(1), QNULL(1), QNULL(2), QNULL(3), QNULL(4), QNULL(5), QNULL(6), QNULL(7), QNULL(8), QNULL(10), QNULL(12), QNULL(14), QNULL(16), \
		QNULL(20), QNULL(24), QNULL(28), QNULL(32), QNULL(40), QNULL(48), QNULL(56), QNULL(64), QNULL(80), QNULL(96), QNULL(112), \
		QNULL(128), HEAP_DOUBLING(8), HEAP_DOUBLING(16), HEAP_DOUBLING(32), HEAP_DOUBLING(64), HEAP_DOUBLING(128), HEAP_DOUBLING(256), \
		HEAP_DOUBLING(512), QNULL(MI_MEDIUM_OBJ_WSIZE_MAX + 1), QNULL(MI_MEDIUM_OBJ_WSIZE_MAX + 2)}

// log2 of the doubling in which a size is: 10 for 1,025 to 2,048.
static inline unsigned heap_doubling(size_t size)
{
	return 63 - __builtin_clzl(size - 1);
}

// The queue of a size of 1,025 bytes to 128 KiB.
static inline uint8_t heap_bin(size_t size)
{
	unsigned doubling = heap_doubling(size);
	return HEAP_FIRST_BIN + (doubling - HEAP_FIRST << HEAP_CLOSE) + (size - 1 >> doubling - HEAP_CLOSE) - (1 << HEAP_CLOSE);
}

// The size to look for: the one asked for, whose queue is its close size's, or its wide size. `runs` has for each wide size which of its close
// ones was asked for last (low bits), and how often before that, one behind the other.
static inline size_t heap_size(uint8_t *runs, size_t size)
{
	if (size <= 1 << HEAP_FIRST)
		return size;
	unsigned doubling = heap_doubling(size);
	size_t close = size - 1 >> doubling - HEAP_CLOSE, wide = close >> HEAP_CLOSE - HEAP_WIDE;
	uint8_t *run = &runs[(doubling - HEAP_FIRST << HEAP_WIDE) + wide - (1 << HEAP_WIDE)];
	uint8_t which = close & (1 << HEAP_CLOSE - HEAP_WIDE) - 1, mask = (1 << HEAP_CLOSE - HEAP_WIDE) - 1;
	if ((*run & mask) != which)
		*run = which;
	else if (*run >> HEAP_CLOSE - HEAP_WIDE < HEAP_ALIKE)
		*run += mask + 1;
	else
		return size;
	return wide + 1 << doubling - HEAP_WIDE;
}

#include "mimalloc.h"
#include "mimalloc-internal.h"

_Static_assert(MI_SMALL_SIZE_MAX == 1 << HEAP_FIRST, "where the fast way ends");
_Static_assert(MI_MEDIUM_OBJ_SIZE_MAX == 1 << HEAP_FIRST + HEAP_DOUBLINGS, "where pages of one block begin");
_Static_assert(MI_BIN_HUGE == HEAP_HUGE_BIN && MI_PADDING_SIZE == 0, "toolchain/libc/allocator.py has changed it");

// ---- a large block that is kept -----------------------------------------------------------------------------------

// A block above 128 KiB is a page of its own, which mimalloc cuts out of a segment, and puts back when it is free: ten times glibc's time where
// a program takes and gives back a buffer again and again. So a heap keeps the page that became free last, up to HEAP_KEPT.

#define HEAP_KEPT (4 << 20)
#define HEAP_SPARE(size) ((size) / 8 + MI_MEDIUM_PAGE_SIZE) // more than was asked for: mimalloc rounds large pages up to such

static mi_page_queue_t *mi_page_queue_of(const mi_page_t *page);

// Called when a page has become free. Whether it is kept; then the one before is not any more.
static inline bool heap_keep(mi_page_t *page)
{
	size_t size = mi_page_block_size(page);
	if (size <= MI_MEDIUM_OBJ_SIZE_MAX || size > HEAP_KEPT || _mi_page_segment(page)->kind != MI_SEGMENT_NORMAL)
		return false;
	mi_heap_t *heap = mi_page_heap(page);
	if (heap->kept)
		_mi_page_free(heap->kept, mi_page_queue_of(heap->kept), false);
	heap->kept = page;
	return true;
}

static inline void heap_forget(mi_heap_t *heap, mi_page_t *page)
{
	if (heap->kept == page)
		heap->kept = NULL;
}

static inline mi_page_t *heap_take(mi_heap_t *heap, size_t size)
{
	mi_page_t *page = heap->kept;
	if (!page || mi_page_block_size(page) < size || mi_page_block_size(page) - size > HEAP_SPARE(size))
		return NULL;
	heap->kept = NULL;
	_mi_page_free_collect(page, false);
	return page;
}

// ---- where large blocks begin --------------------------------------------------------------------------------------

// Pages begin at multiples of 64 KiB, and so would blocks above 128 KiB: a loop over many arrays of one size would find all of them in the same
// few lines of each cache. So each begins a line further on than the one before (IRSmk, with 29 arrays, takes half of the time).

#define HEAP_LINE 64
#define HEAP_LINES 4096 // after so many bytes again at the begin: the first cache's sets

static inline void *heap_large(size_t size)
{
	mi_heap_t *heap = mi_get_default_heap();
	if (!mi_heap_is_initialized(heap) || size > PTRDIFF_MAX) // a thread's first block; no memory
		return mi_malloc(size);
	size_t begin = heap->begin++ * HEAP_LINE % HEAP_LINES;
	return mi_heap_malloc_aligned_at(heap, size, HEAP_LINES, HEAP_LINES - begin);
}

// ---- settings ------------------------------------------------------------------------------------------------------

long mi_option_get(mi_option_t option)
{
	switch (option) { // mimalloc's own defaults; the others are 0
	case mi_option_eager_commit:
	case mi_option_eager_commit_delay:
	case mi_option_allow_decommit:
	case mi_option_decommit_extend_delay:
		return 1;
	case mi_option_decommit_delay:
		return 25;
	case mi_option_segment_decommit_delay:
		return 500;
	case mi_option_max_segment_reclaim:
		return 8;
	default:
		return 0;
	}
}

long mi_option_get_clamp(mi_option_t option, long least, long most)
{
	long value = mi_option_get(option);
	return value < least ? least : value > most ? most : value;
}

bool mi_option_is_enabled(mi_option_t option)
{
	return mi_option_get(option);
}

void _mi_options_init(void)
{
}

// ---- messages and statistics: none ---------------------------------------------------------------------------------

void _mi_error_message(int error, const char *format, ...)
{
	if (error != ENOMEM && error != EOVERFLOW)
		a_crash(); // the heap is damaged
	errno = ENOMEM;
}

#define _mi_warning_message(...) ((void)0)
#define _mi_verbose_message(...) ((void)0)
#define _mi_trace_message(...) ((void)0)
#define _mi_fputs(...) ((void)0)
#define _mi_stat_increase(stat, amount) ((void)0)
#define _mi_stat_decrease(stat, amount) ((void)0)
#define _mi_stat_counter_increase(stat, amount) ((void)0)
#define _mi_stats_done(stats) ((void)0)
#define mi_stats_reset() ((void)0)
#define mi_stats_print(out) ((void)0)

// ---- time ----------------------------------------------------------------------------------------------------------

#define LOOKS 16 // the time decides only when free memory is given back: a system call for each look would cost more than the rest

mi_msecs_t _mi_clock_now(void)
{
	static _Atomic(unsigned) looks;
	static _Atomic(mi_msecs_t) seen;
	if (atomic_fetch_add_explicit(&looks, 1, memory_order_relaxed) % LOOKS == 0) {
		struct timespec t;
		__transproc_heap_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0, 0);
		atomic_store_explicit(&seen, t.tv_sec * 1000 + t.tv_nsec / 1000000, memory_order_relaxed);
	}
	return atomic_load_explicit(&seen, memory_order_relaxed);
}

mi_msecs_t _mi_clock_start(void)
{
	return _mi_clock_now();
}

mi_msecs_t _mi_clock_end(mi_msecs_t start)
{
	return _mi_clock_now() - start;
}

// ---- random numbers: for the addresses of mappings, from the kernel's gift to the process --------------------------

static uint64_t next(uint64_t *state) // splitmix64
{
	uint64_t v = *state += 0x9e3779b97f4a7c15;
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
	v = (v ^ v >> 27) * 0x94d049bb133111eb;
	return v ^ v >> 31;
}

void _mi_random_init(mi_random_ctx_t *random)
{
	uint64_t seed = 0;
	for (size_t *item = libc.auxv; item && *item; item += 2)
		if (*item == AT_RANDOM)
			memcpy(&seed, (void *)item[1], sizeof seed);
	memcpy(random->input, &seed, sizeof seed);
}

void _mi_random_init_weak(mi_random_ctx_t *random)
{
	_mi_random_init(random);
}

void _mi_random_reinit_if_weak(mi_random_ctx_t *random)
{
}

uintptr_t _mi_random_next(mi_random_ctx_t *random)
{
	uint64_t state, result;
	memcpy(&state, random->input, sizeof state);
	do
		result = next(&state);
	while (!result);
	memcpy(random->input, &state, sizeof state);
	return result;
}

void _mi_random_split(mi_random_ctx_t *random, mi_random_ctx_t *other)
{
	uint64_t seed = _mi_random_next(random);
	memset(other, 0, sizeof *other);
	memcpy(other->input, &seed, sizeof seed);
}

uintptr_t _mi_os_random_weak(uintptr_t extra)
{
	mi_random_ctx_t random;
	_mi_random_init(&random);
	return _mi_random_next(&random) ^ extra;
}

// ---- mimalloc ------------------------------------------------------------------------------------------------------

#include "os.c"
#include "bitmap.c"
#include "arena.c"
#include "segment-cache.c"
#include "segment.c"
#include "page.c"
#include "heap.c"
#include "alloc.c"
#include "alloc-aligned.c"
#include "init.c"

#pragma clang attribute pop

// ---- what the library calls ----------------------------------------------------------------------------------------

void *__libc_malloc_impl(size_t size)
{
	return size <= MI_MEDIUM_OBJ_SIZE_MAX ? mi_malloc(size) : heap_large(size);
}

void __libc_free(void *block)
{
	mi_free(block);
}

void *__libc_realloc(void *block, size_t size)
{
	return mi_realloc(block, size);
}

void *__transproc_heap_aligned(size_t alignment, size_t size)
{
	if (!alignment || alignment & alignment - 1) {
		errno = EINVAL;
		return 0;
	}
	return mi_malloc_aligned_at(size, alignment, 0); // mi_malloc_aligned of 2.0.9 takes small blocks for aligned that are not
}

size_t __transproc_heap_usable(const void *block)
{
	return mi_usable_size(block);
}

// Whether a new block is zero: only fresh memory is, but for the link in the list from which the block came.
int __malloc_allzerop(void *block)
{
	if (!_mi_ptr_page(block)->is_zero)
		return 0;
	memset(block, 0, sizeof(mi_block_t));
	return 1;
}

void __transproc_heap_start(void)
{
	mi_process_init();
}

void __transproc_heap_done(void *heap)
{
	if (heap)
		_mi_thread_done(heap);
}

// The other threads, which do not exist in a child of fork, are not in the middle of anything that it waits for.
void __malloc_atfork(int who)
{
	if (who > 0)
		mi_atomic_store_release(&abandoned_readers, 0);
}

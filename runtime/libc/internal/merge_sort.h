/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Sorting by merging: few comparisons, which are calls of the program's own functions and take most of the time; stable; room for half the
// elements aside. The comparison may be interrupted by a migration, so nothing is kept but indices and pointers.
//
// Whoever includes this defines COMPARISON, the type of the function, and COMPARE(a, b), a call of `compare` with `argument`.

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASIDE 1024 // bytes that are on the stack
#define LARGE ((size_t)64 << 20) // from so many bytes aside on, the machine's memory is looked at
#define INDIRECT 32 // larger elements stay where they are until their order is known

#define FEW 4 // so many are sorted by insertion

// sort_NAME(base, n, width, aside, …): `aside` has room for n / 2 elements. COPY(to, from) copies one, AT(base, index) is its place.
#define DEFINE_SORT(NAME, AT, COPY) \
	static void NAME(char *base, size_t n, size_t width, char *aside, COMPARISON compare, void *argument) \
	{ \
		if (n <= FEW) { \
			for (size_t i = 1; i < n; i++) { \
				size_t to = i; \
				while (to && COMPARE(AT(base, to - 1), AT(base, i)) > 0) \
					to--; \
				if (to == i) \
					continue; \
				COPY(aside, AT(base, i)); \
				memmove(AT(base, to + 1), AT(base, to), (i - to) * width); \
				COPY(AT(base, to), aside); \
			} \
			return; \
		} \
		size_t half = n / 2, i = 0, k = half, to = 0; \
		NAME(base, half, width, aside, compare, argument); \
		NAME(AT(base, half), n - half, width, aside, compare, argument); \
		if (COMPARE(AT(base, half - 1), AT(base, half)) <= 0) \
			return; \
		memcpy(aside, base, half * width); \
		while (i < half && k < n) { \
			if (COMPARE(AT(aside, i), AT(base, k)) <= 0) { \
				COPY(AT(base, to), AT(aside, i)); \
				i++; \
			} else { \
				COPY(AT(base, to), AT(base, k)); \
				k++; \
			} \
			to++; \
		} \
		memcpy(AT(base, to), AT(aside, i), (half - i) * width); \
	}

typedef uint32_t __attribute__((may_alias, aligned(1))) half_word;
typedef uint64_t __attribute__((may_alias, aligned(1))) word;

static inline void copy_element(char *to, const char *from, size_t width)
{
	if (width % sizeof(word)) {
		memcpy(to, from, width);
		return;
	}
	for (size_t i = 0; i < width; i += sizeof(word))
		*(word *)(to + i) = *(const word *)(from + i);
}

#define AT_4(base, i) ((base) + (i) * 4)
#define AT_8(base, i) ((base) + (i) * 8)
#define AT_ANY(base, i) ((base) + (i) * width)
#define COPY_4(to, from) (*(half_word *)(to) = *(const half_word *)(from))
#define COPY_8(to, from) (*(word *)(to) = *(const word *)(from))
#define COPY_ANY(to, from) copy_element(to, from, width)

DEFINE_SORT(sort_4, AT_4, COPY_4)
DEFINE_SORT(sort_8, AT_8, COPY_8)
DEFINE_SORT(sort_any, AT_ANY, COPY_ANY)

static inline int compare_targets(char *const *a, char *const *b, COMPARISON compare, void *argument)
{
	return COMPARE(*a, *b);
}
#undef COMPARE
#define COMPARE(a, b) compare_targets((char *const *)(a), (char *const *)(b), compare, argument)
DEFINE_SORT(sort_pointers, AT_8, COPY_8)

// Puts elements into the order of the pointers to them, cycle by cycle; `aside` has room for one.
static void permute(char *base, size_t n, size_t width, char **order, char *aside)
{
	for (size_t i = 0; i < n; i++) {
		size_t to = i;
		if (order[i] == base + i * width)
			continue;
		memcpy(aside, base + i * width, width);
		for (;;) {
			size_t from = (order[to] - base) / width;
			order[to] = base + to * width;
			if (from == i)
				break;
			memcpy(base + to * width, base + from * width, width);
			to = from;
		}
		memcpy(base + to * width, aside, width);
	}
}

// Whether so much memory can be had without harm: 0 means to sort in place.
static int affordable(size_t size)
{
	return size < LARGE || size / sysconf(_SC_PAGESIZE) < (size_t)sysconf(_SC_PHYS_PAGES) / 4;
}

// Returns 0 if there is no memory; nothing was done then.
static int merge_sort(char *base, size_t n, size_t width, COMPARISON compare, void *argument)
{
	if (n < 2 || !width)
		return 1;
	int indirect = width > INDIRECT;
	size_t size = indirect ? (n + n / 2 + 1) * sizeof(char *) + width : (n / 2 + 1) * width;
	char local[ASIDE] __attribute__((aligned(16))), *aside = local;
	if (size > ASIDE) {
		int error = errno;
		aside = affordable(size) ? malloc(size) : 0;
		errno = error;
		if (!aside)
			return 0;
	}
	if (indirect) {
		char **order = (char **)aside, *rest = aside + n * sizeof(char *);
		for (size_t i = 0; i < n; i++)
			order[i] = base + i * width;
		sort_pointers(aside, n, sizeof(char *), rest, compare, argument);
		permute(base, n, width, order, rest);
	} else if (width == 4) {
		sort_4(base, n, 4, aside, compare, argument);
	} else if (width == 8) {
		sort_8(base, n, 8, aside, compare, argument);
	} else {
		sort_any(base, n, width, aside, compare, argument);
	}
	if (aside != local)
		free(aside);
	return 1;
}

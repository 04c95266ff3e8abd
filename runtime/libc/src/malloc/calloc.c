/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "dynlink.h"

#define SPARSE (1 << 20) // from here on it matters more that pages of zeros stay untouched
#define STEP 4096        // at most a page

static int allzerop(void *block)
{
	return 0;
}

weak_alias(allzerop, __malloc_allzerop);

static int is_zero(const uint64_t *words, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof *words; i += 2)
		if (words[i] | words[i + 1])
			return 0;
	return 1;
}

void *calloc(size_t count, size_t each)
{
	size_t size;
	if (__builtin_mul_overflow(count, each, &size)) {
		errno = ENOMEM;
		return 0;
	}
	char *block = malloc(size), *at = block;
	if (!block || !__malloc_replaced && __malloc_allzerop(block))
		return block;
	if (size >= SPARSE)
		for (; at + STEP <= block + size; at += STEP)
			if (!is_zero((uint64_t *)at, STEP))
				memset(at, 0, STEP);
	memset(at, 0, block + size - at);
	return block;
}

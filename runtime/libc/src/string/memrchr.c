/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_last.h"
#include "processor.h"
#include "wide.h"

void *__memrchr(const void *, int, size_t);

ASK_FIRST(void *, first_time, (const void *memory, int byte, size_t n), __memrchr(memory, byte, n))

void *__memrchr(const void *memory, int byte, size_t n)
{
	const unsigned char *at = memory;
	if (!n)
		return 0;
	if (n >= VECTOR) {
		if (n > 2 * VECTOR)
			WITH_ABILITY(wide, __transproc_wide_memrchr(at, byte, n), first_time(memory, byte, n));
		return find_last(at, byte, n);
	}
	if (__builtin_expect(!crosses(at), 1)) {
		unsigned found = zeros(load_loose(at) ^ all_of(byte)) & (1 << n) - 1;
		return found ? (void *)(at + last(found)) : 0;
	}
	while (n--)
		if (at[n] == (unsigned char)byte)
			return (void *)(at + n);
	return 0;
}

weak_alias(__memrchr, memrchr);

/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "bytes.h"

void *__memrchr(const void *memory, int byte, size_t n)
{
	if (!n)
		return 0;
	const unsigned char *start = memory, *end = start + n; // what is searched ends before `end`
	const unsigned char *at = align_down(end - 1, VECTOR);
	bytes wanted = all_of(byte);
	unsigned found = zeros(load(at) ^ wanted) & 0xffff >> VECTOR - (end - at);
	while (!found) {
		if (at <= start)
			return 0;
		at -= VECTOR;
		found = zeros(load(at) ^ wanted);
	}
	at += last(found);
	return at >= start ? (void *)at : 0;
}

weak_alias(__memrchr, memrchr);

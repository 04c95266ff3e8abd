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
	if (!found) {
		do {
			if (at <= start)
				return 0;
			at -= VECTOR;
			found = zeros(load(at) ^ wanted);
		} while (!found && (uintptr_t)at % BLOCK);
	}
	if (!found) {
		for (; at - start >= BLOCK; at -= BLOCK) {
			bytes a = load(at - 16) ^ wanted, b = load(at - 32) ^ wanted, c = load(at - 48) ^ wanted, d = load(at - 64) ^ wanted;
			if (zeros(smaller(smaller(a, b), smaller(c, d))))
				break;
		}
		do {
			if (at <= start)
				return 0;
			at -= VECTOR;
			found = zeros(load(at) ^ wanted);
		} while (!found);
	}
	at += last(found);
	return at >= start ? (void *)at : 0;
}

weak_alias(__memrchr, memrchr);

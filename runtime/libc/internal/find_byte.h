/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The first of n bytes that is the wanted one, for memchr and strnlen.
#ifndef TRANSPROC_FIND_BYTE_H
#define TRANSPROC_FIND_BYTE_H

#include "bytes.h"

static inline void *find_byte(const void *memory, int byte, size_t n)
{
	bytes wanted = all_of(byte);
	if (!n)
		return 0;
	const unsigned char *at = align_down(memory, VECTOR);
	unsigned skipped = (uintptr_t)memory % VECTOR;
	unsigned char *place;
	unsigned found = zeros(load(at) ^ wanted) >> skipped;
	if (found)
		return first(found) < n ? (unsigned char *)memory + first(found) : 0;
	if (n <= VECTOR - skipped)
		return 0;
	size_t left = n - (VECTOR - skipped); // from the next vector on
	for (at += VECTOR; (uintptr_t)at % BLOCK && left > VECTOR; at += VECTOR, left -= VECTOR)
		if ((found = zeros(load(at) ^ wanted)))
			return (void *)(at + first(found));
	for (; left > BLOCK; at += BLOCK, left -= BLOCK) {
		bytes a = load(at) ^ wanted, b = load(at + 16) ^ wanted, c = load(at + 32) ^ wanted, d = load(at + 48) ^ wanted;
		if (zeros(smaller(smaller(a, b), smaller(c, d))))
			break;
	}
	for (;; at += VECTOR, left -= VECTOR) {
		if ((found = zeros(load(at) ^ wanted))) {
			place = (unsigned char *)at + first(found);
			return first(found) < left ? place : 0;
		}
		if (left <= VECTOR)
			return 0;
	}
}

#endif

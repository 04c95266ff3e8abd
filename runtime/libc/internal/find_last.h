/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The last place of a byte, for memrchr and strrchr.
#ifndef TRANSPROC_FIND_LAST_H
#define TRANSPROC_FIND_LAST_H

#include "bytes.h"

// Among n bytes, at least a vector.
static inline void *find_last(const unsigned char *start, int byte, size_t n)
{
	bytes wanted = all_of(byte);
	const unsigned char *at = start + n - VECTOR;
	unsigned found = zeros(load_loose(at) ^ wanted);
	if (found)
		return (void *)(at + last(found));
	if (n <= 2 * VECTOR)
		goto beginning;
	at = align_down(at + VECTOR - 1, VECTOR); // what lies behind has been looked at
	for (; at - start >= BLOCK; at -= BLOCK) {
		bytes a = load(at - VECTOR) ^ wanted, b = load(at - 2 * VECTOR) ^ wanted;
		bytes c = load(at - 3 * VECTOR) ^ wanted, d = load(at - 4 * VECTOR) ^ wanted;
		if (zeros(smaller(smaller(a, b), smaller(c, d))))
			break;
	}
	while (at - start >= VECTOR) {
		at -= VECTOR;
		if ((found = zeros(load(at) ^ wanted)))
			return (void *)(at + last(found));
	}
beginning:
	found = zeros(load_loose(start) ^ wanted);
	return found ? (void *)(start + last(found)) : 0;
}

// Whether one of the bytes of a block is the wanted one or the end.
static inline int interesting(const unsigned char *at, const bytes *wanted)
{
	bytes found = all_of(255);
	for (int i = 0; i < BLOCK; i += VECTOR) {
		bytes v = load(at + i);
		found = smaller(found, smaller(v, v ^ *wanted));
	}
	return zeros(found) != 0;
}

static inline char *find_last_in_string(const char *string, int byte)
{
	const unsigned char *at = align_down(string, VECTOR), *kept = 0;
	bytes wanted = all_of(byte), v = load(at);
	unsigned valid = ALL_LANES << (uintptr_t)string % VECTOR;
	unsigned end = zeros(v) & valid, found = zeros(v ^ wanted) & valid, kept_bits = 0;
	while (!end) {
		if (found) {
			kept = at;
			kept_bits = found;
		}
		at += VECTOR;
		while ((uintptr_t)at % BLOCK == 0 && !interesting(at, &wanted))
			at += BLOCK;
		v = load(at);
		end = zeros(v);
		found = zeros(v ^ wanted);
	}
	found &= end ^ end - 1; // up to the end of the string, which may itself be wanted
	if (found)
		return (char *)at + last(found);
	return kept ? (char *)kept + last(kept_bits) : 0;
}

#endif

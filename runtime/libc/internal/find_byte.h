/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Where a byte is, or the end of a string.
#ifndef TRANSPROC_FIND_BYTE_H
#define TRANSPROC_FIND_BYTE_H

#include "bytes.h"

enum sought { THE_END, THE_BYTE, EITHER };

// Bytes of the result are 0 where the vector's byte is what is sought.
#define unlike(v, wanted, what) \
	((what) == THE_END ? (bytes)(v) : (what) == THE_BYTE ? (bytes)((v) ^ (wanted)) : smaller(v, (v) ^ (wanted)))

#define block_has(at, wanted, what) \
	({ \
		bytes a_ = load(at), b_ = load((at) + VECTOR), c_ = load((at) + 2 * VECTOR), d_ = load((at) + 3 * VECTOR); \
		bytes v_ = smaller(unlike(a_, wanted, what), unlike(b_, wanted, what)); \
		zeros(smaller(v_, smaller(unlike(c_, wanted, what), unlike(d_, wanted, what)))) != 0; \
	})

// From an address on; if `bounded`, among the next `left`, which are at least one, or 0.
static inline __attribute__((always_inline)) const unsigned char *
find(const unsigned char *from, int byte, enum sought what, int bounded, size_t left)
{
	bytes wanted = all_of(byte);
	const unsigned char *at = align_down(from, VECTOR);
	unsigned found = zeros(unlike(load(at), wanted, what)) >> (from - at);
	if (found)
		return !bounded || first(found) < left ? from + first(found) : 0;
	size_t seen = VECTOR - (from - at);
	for (int i = 0; i < 5; i++) {
		if (bounded && left <= seen)
			return 0;
		at += VECTOR;
		left -= seen;
		seen = VECTOR;
		if (i < 4 && (found = zeros(unlike(load(at), wanted, what))))
			goto here;
	}
	left += (uintptr_t)at % BLOCK;
	at = align_down(at, BLOCK);
	for (; !bounded || left > BLOCK; at += BLOCK, left -= BLOCK)
		if (block_has(at, wanted, what))
			goto within;
	if (!block_has(at, wanted, what)) // all of a block is in one page
		return 0;
within:
	from = at;
	while (!(found = zeros(unlike(load(at), wanted, what))))
		at += VECTOR;
	at += first(found);
	return !bounded || (size_t)(at - from) < left ? at : 0;
here:
	return !bounded || first(found) < left ? at + first(found) : 0;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Strings that are copied while their end is looked for. The last bytes are stored with some before them, so that there is no loop over
// bytes: what is stored twice is the same.
#ifndef TRANSPROC_COPY_STRING_H
#define TRANSPROC_COPY_STRING_H

#include <string.h>
#include "bytes.h"

#define store_loose(to, v) (*(loose_bytes *)(to) = (v))

#define COPY_ENDS(type, to, from, n) \
	do { \
		typedef type word __attribute__((may_alias, aligned(1))); \
		word low_ = *(const word *)(from), high_ = *(const word *)((from) + (n) - sizeof(word)); \
		*(word *)(to) = low_; \
		*(word *)((to) + (n) - sizeof(word)) = high_; \
	} while (0)

// At most 16 bytes.
static inline void copy_short(unsigned char *to, const unsigned char *from, unsigned n)
{
	if (n >= 8)
		COPY_ENDS(uint64_t, to, from, n);
	else if (n >= 4)
		COPY_ENDS(uint32_t, to, from, n);
	else if (n >= 2)
		COPY_ENDS(uint16_t, to, from, n);
	else if (n)
		*to = *from;
}

// Whether one of the first 16 bytes is the 0 at the end; which one, in `found`. Where a page ends among them, the part in it is looked at first.
#define ends_within(from, found) \
	({ \
		unsigned bits_ = 0; \
		if (__builtin_expect(crosses(from), 0)) \
			bits_ = zeros(load(align_down(from, VECTOR))) >> (uintptr_t)(from) % VECTOR; \
		if (!bits_) \
			bits_ = zeros(load_loose(from)); \
		(found) = bits_; \
		bits_ != 0; \
	})

// Whether a string is moved down over itself by less than a vector, so that what is stored may be what is still to be read. strcpy(text, text + 1)
// is undefined in C, and many programs do it.
static inline int moves_down(const void *to, const void *from)
{
	return (uintptr_t)from - (uintptr_t)to < VECTOR;
}

static inline __attribute__((noinline)) char *move_string(char *to, const char *from)
{
	size_t length = strlen(from);
	return (char *)memmove(to, from, length + 1) + length;
}

// Copies up to the 0; returns where its copy is.
static inline char *copy_string(char *target, const char *string)
{
	unsigned char *to = (unsigned char *)target;
	const unsigned char *from = (const unsigned char *)string;
	unsigned found;
	if (ends_within(from, found)) {
		copy_short(to, from, first(found) + 1);
		return target + first(found);
	}
	if (__builtin_expect(moves_down(to, from), 0))
		return move_string(target, string);
	store_loose(to, load_loose(from));
	const unsigned char *at = align_down(from + VECTOR, VECTOR);
	unsigned char *end;
	for (;;) {
		do {
			if ((found = zeros(load(at)))) {
				at += first(found);
				end = to + (at - from);
				store_loose(end + 1 - VECTOR, load_loose(at + 1 - VECTOR));
				return (char *)end;
			}
			store_loose(to + (at - from), load(at));
			at += VECTOR;
		} while ((uintptr_t)at % BLOCK);
		for (;; at += BLOCK) {
			bytes a = load(at), b = load(at + 16), c = load(at + 32), d = load(at + 48);
			if (zeros(smaller(smaller(a, b), smaller(c, d))))
				break;
			end = to + (at - from);
			store_loose(end, a);
			store_loose(end + 16, b);
			store_loose(end + 32, c);
			store_loose(end + 48, d);
		}
	}
}

#endif

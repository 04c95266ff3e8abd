/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Strings that are copied while their end is looked for. The last bytes are stored with some before them, so that there is no loop over
// bytes: what is stored twice is the same.
#ifndef TRANSPROC_COPY_STRING_H
#define TRANSPROC_COPY_STRING_H

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

// From a vector on, up to two.
static inline void copy_two(unsigned char *to, const unsigned char *from, unsigned n)
{
	typedef unsigned char half __attribute__((vector_size(16), may_alias, aligned(1)));
	half low = *(const half *)from, high = *(const half *)(from + n - 16);
	*(half *)to = low;
	*(half *)(to + n - 16) = high;
}

// Whether one of the first bytes, a vector of them, is the 0 at the end; which one, in `found`. Where a page ends among them, the part in it
// is looked at first.
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

// Whether a string is moved down over itself by less than the largest vector, so that what is stored may be what is still to be read.
// strcpy(text, text + 1) is undefined in C, and many programs do it.
static inline int moves_down(const void *to, const void *from)
{
	return (uintptr_t)from - (uintptr_t)to < WIDEST;
}

// Copies up to the 0, which is not among the bytes of the first vector; returns where its copy is.
static inline char *copy_long(unsigned char *to, const unsigned char *from)
{
	unsigned found;
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
			bytes a = load(at), b = load(at + VECTOR), c = load(at + 2 * VECTOR), d = load(at + 3 * VECTOR);
			if (zeros(smaller(smaller(a, b), smaller(c, d))))
				break;
			end = to + (at - from);
			store_loose(end, a);
			store_loose(end + VECTOR, b);
			store_loose(end + 2 * VECTOR, c);
			store_loose(end + 3 * VECTOR, d);
		}
	}
}

// The first n bytes of a vector, and zeros.
#if VECTOR == 16
#define NUMBERS {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
#else
#define NUMBERS \
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}
#endif
#define beginning(v, n) ((v) & (bytes)((bytes)NUMBERS < all_of(n)))

// At most n bytes, and zeros up to n, which is at least a vector, of the string the first vector may be read. Returns where the copy ends.
static inline char *copy_within(unsigned char *to, const unsigned char *from, size_t n)
{
	bytes v = load_loose(from);
	unsigned found = zeros(v);
	size_t length = n;
	if (found) {
		length = first(found);
		store_loose(to, beginning(v, length));
		if (n > VECTOR)
			__builtin_memset(to + VECTOR, 0, n - VECTOR);
		return (char *)to + length;
	}
	store_loose(to, v);
	const unsigned char *at = align_down(from + VECTOR, VECTOR), *end = from + n;
	for (;;) {
		do {
			if (end - at < VECTOR)
				goto rest;
			v = load(at);
			if ((found = zeros(v)))
				goto rest;
			store_loose(to + (at - from), v);
			at += VECTOR;
		} while ((uintptr_t)at % BLOCK);
		for (; end - at >= BLOCK; at += BLOCK) {
			bytes a = load(at), b = load(at + VECTOR), c = load(at + 2 * VECTOR), d = load(at + 3 * VECTOR);
			if (zeros(smaller(smaller(a, b), smaller(c, d))))
				break;
			unsigned char *copy = to + (at - from);
			store_loose(copy, a);
			store_loose(copy + VECTOR, b);
			store_loose(copy + 2 * VECTOR, c);
			store_loose(copy + 3 * VECTOR, d);
		}
	}
rest:
	if (!found && at < end)
		found = zeros(load(at));
	if (found && at + first(found) < end)
		length = at + first(found) - from;
	store_loose(to + length - VECTOR, load_loose(from + length - VECTOR));
	if (length < n)
		__builtin_memset(to + length, 0, n - length);
	return (char *)to + length;
}

// What strcpy and stpcpy have in common: returns what `result` makes of the copy's end. The others return from the function by a call that is a
// jump, so that there is no frame.
#define COPY_STRING(target, string, result, moved, wide_copy, first_time) \
	do { \
		unsigned char *to_ = (unsigned char *)(target); \
		const unsigned char *from_ = (const unsigned char *)(string); \
		unsigned found_; \
		if (ends_within(from_, found_)) { \
			copy_short(to_, from_, first(found_) + 1); \
			return result((char *)to_ + first(found_)); \
		} \
		if (__builtin_expect(moves_down(to_, from_), 0)) \
			return moved; \
		WITH_ABILITY(wide, wide_copy(to_, from_), first_time); \
		return result(copy_long(to_, from_)); \
	} while (0)

#endif

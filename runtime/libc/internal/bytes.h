/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Sixteen bytes at a time, from one source for every ISA: compiled to SSE2 and to NEON. Where it is included with a VECTOR of 32, as in
// runtime/libc/wide, thirty-two: what is there is for processors that have such vectors.
//
// Memory is read in aligned vectors where the end of a string is not known: these never reach into another page, so bytes before and
// behind the string may be read along (and are ignored), but none that may not be there.
#ifndef TRANSPROC_BYTES_H
#define TRANSPROC_BYTES_H

#include <stddef.h>
#include <stdint.h>

#ifndef VECTOR
#define VECTOR 16
#endif
#define WIDEST 32
#define BLOCK (4 * VECTOR) // what the loops for long strings read in a turn
#define SMALLEST_PAGE 4096

typedef unsigned char bytes __attribute__((vector_size(VECTOR), may_alias));
typedef unsigned char loose_bytes __attribute__((vector_size(VECTOR), may_alias, aligned(1)));
typedef _Bool lanes __attribute__((ext_vector_type(VECTOR)));

static inline const unsigned char *align_down(const void *at, size_t to)
{
	return (const unsigned char *)((uintptr_t)at & -to);
}

// What has vectors as arguments or results is a macro: the neutral front end passes them as integers of 128 bits, and what is computed on
// those stays scalar, inlined or not.
#define load(aligned) (*(const bytes *)(aligned))
#define load_loose(at) (*(const loose_bytes *)(at))
#define all_of(byte) ((bytes){0} + (unsigned char)(byte))
#define smaller(a, b) __builtin_elementwise_min((bytes)(a), (bytes)(b))

#if VECTOR == 16
typedef uint16_t lane_bits;
#else
typedef uint32_t lane_bits;
#endif
#define ALL_LANES ((unsigned)(lane_bits)-1)

// Bit i is set where byte i of the result of a comparison is.
#define mask(compared) \
	({ \
		lanes bits_ = __builtin_convertvector((bytes)(compared), lanes); \
		lane_bits result_; \
		__builtin_memcpy(&result_, &bits_, sizeof result_); \
		(unsigned)result_; \
	})
#define zeros(v) mask((v) == 0)

static inline unsigned first(unsigned bits)
{
	return __builtin_ctz(bits);
}

static inline unsigned last(unsigned bits)
{
	return 31 - __builtin_clz(bits);
}

// Whether a vector may be read from any address on: no page ends within it, or the string goes on in the next one.
static inline int readable(const void *string)
{
	unsigned within = (uintptr_t)string & SMALLEST_PAGE - 1;
	if (__builtin_expect(within <= SMALLEST_PAGE - VECTOR, 1))
		return 1;
	return !(zeros(load(align_down(string, VECTOR))) >> within % VECTOR);
}

// How many bytes may be read from both before one comes to the end of its page.
static inline unsigned to_page_end(const unsigned char *a, const unsigned char *b)
{
	unsigned of_a = SMALLEST_PAGE - ((uintptr_t)a & SMALLEST_PAGE - 1), of_b = SMALLEST_PAGE - ((uintptr_t)b & SMALLEST_PAGE - 1);
	return of_a < of_b ? of_a : of_b;
}

// Whether a vector from here on lies in two pages. A string that differs early from another may be shorter than the n of strncmp, without an
// end: there nothing may be read in advance.
static inline int crosses(const void *at)
{
	return ((uintptr_t)at & SMALLEST_PAGE - 1) > SMALLEST_PAGE - VECTOR;
}

// The same of a vector of the largest size.
static inline int crosses_widest(const void *at)
{
	return ((uintptr_t)at & SMALLEST_PAGE - 1) > SMALLEST_PAGE - WIDEST;
}

// As tolower(), which has one locale.
static inline int lower_byte(unsigned char c)
{
	return c - 'A' < 26u ? c | 0x20 : c;
}

#define lower(v) ((v) | (bytes)((bytes)((v) - 'A') < 26) & 0x20)

#endif

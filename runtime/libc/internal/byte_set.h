/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Sets of bytes: how long a string consists of bytes of the set, or of others.
#ifndef TRANSPROC_BYTE_SET_H
#define TRANSPROC_BYTE_SET_H

#include "bytes.h"

#define FEW 4 // that many, and twice as many, are compared with 16 bytes of the string at a time; more are looked up in a table

// Where in the string the first byte is that is not (`inside`) or is among `members`, or 0, which is never in a set. A smaller set has some
// members twice, so that there is no loop over them.
#define SPAN(string, members, count, inside) \
	({ \
		const unsigned char *at_ = align_down(string, VECTOR); \
		unsigned valid_ = 0xffffu << (uintptr_t)(string) % VECTOR, end_; \
		for (;; at_ += VECTOR, valid_ = 0xffff) { \
			bytes v_ = load(at_), found_ = (bytes)(v_ == (members)[0]); \
			_Pragma("clang loop unroll(full)") \
			for (int i_ = 1; i_ < (count); i_++) \
				found_ |= (bytes)(v_ == (members)[i_]); \
			if ((end_ = ((inside) ? zeros(found_) : mask((bytes)(found_ | (bytes)(v_ == 0)))) & valid_)) \
				break; \
		} \
		at_ + first(end_) - (const unsigned char *)(string); \
	})

// Length of the string's beginning whose bytes are (`inside`) or are not in the set, which has at least one.
static inline size_t span(const char *string, const char *set, int inside)
{
	unsigned count = 1;
	while (count <= 2 * FEW && set[count])
		count++;
	if (count <= FEW) {
		bytes members[FEW];
		for (unsigned i = 0; i < FEW; i++)
			members[i] = all_of(set[i < count ? i : 0]);
		return SPAN(string, members, FEW, inside);
	}
	if (count <= 2 * FEW) {
		bytes members[2 * FEW];
		for (unsigned i = 0; i < 2 * FEW; i++)
			members[i] = all_of(set[i < count ? i : 0]);
		return SPAN(string, members, 2 * FEW, inside);
	}
	unsigned char table[256] = {0};
	const unsigned char *at = (const unsigned char *)string;
	for (; *set; set++)
		table[(unsigned char)*set] = 1;
	if (inside) {
		while (table[*at])
			at++;
	} else {
		for (table[0] = 1; !table[*at]; )
			at++;
	}
	return at - (const unsigned char *)string;
}

#endif

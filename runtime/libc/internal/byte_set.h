/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Sets of bytes: how long a string consists of bytes of the set, or of others.
#ifndef TRANSPROC_BYTE_SET_H
#define TRANSPROC_BYTE_SET_H

#include "bytes.h"

#define FEW 8 // that many are compared with 16 bytes of the string at a time; more are looked up in a table

// Length of the string's beginning whose bytes are (`inside`) or are not in the set. Neither ever holds the 0 at the end.
static inline size_t span(const char *string, const char *set, int inside)
{
	unsigned count = 0;
	while (count <= FEW && set[count])
		count++;
	if (count <= FEW) {
		bytes members[FEW];
		for (unsigned i = 0; i < count; i++)
			members[i] = all_of(set[i]);
		const unsigned char *at = align_down(string, VECTOR);
		unsigned valid = 0xffffu << (uintptr_t)string % VECTOR;
		for (;; at += VECTOR, valid = 0xffff) {
			bytes v = load(at), found = {0};
			for (unsigned i = 0; i < count; i++)
				found |= (bytes)(v == members[i]);
			unsigned end = (inside ? zeros(found) : mask((bytes)(found | (bytes)(v == 0)))) & valid;
			if (end)
				return at + first(end) - (const unsigned char *)string;
		}
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

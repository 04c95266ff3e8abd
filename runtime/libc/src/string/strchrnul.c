/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "bytes.h"

// Bytes of the result are 0 where the vector's byte is the wanted one or the end of the string.
#define either(at, wanted) smaller(load(at), load(at) ^ (wanted))

char *__strchrnul(const char *string, int byte)
{
	const unsigned char *at = align_down(string, VECTOR);
	bytes wanted = all_of(byte);
	unsigned found = zeros(either(at, wanted)) >> (uintptr_t)string % VECTOR;
	if (found)
		return (char *)string + first(found);
	for (at += VECTOR; (uintptr_t)at % BLOCK; at += VECTOR)
		if ((found = zeros(either(at, wanted))))
			return (char *)at + first(found);
	for (;; at += BLOCK) {
		bytes a = either(at, wanted), b = either(at + 16, wanted), c = either(at + 32, wanted), d = either(at + 48, wanted);
		if (zeros(smaller(smaller(a, b), smaller(c, d))))
			break;
	}
	while (!(found = zeros(either(at, wanted))))
		at += VECTOR;
	return (char *)at + first(found);
}

weak_alias(__strchrnul, strchrnul);

/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "bytes.h"

size_t strlen(const char *string)
{
	const unsigned char *at = align_down(string, VECTOR);
	unsigned found = zeros(load(at)) >> (uintptr_t)string % VECTOR;
	if (found)
		return first(found);
	for (at += VECTOR; (uintptr_t)at % BLOCK; at += VECTOR)
		if ((found = zeros(load(at))))
			return at + first(found) - (const unsigned char *)string;
	for (;; at += BLOCK) {
		bytes a = load(at), b = load(at + 16), c = load(at + 32), d = load(at + 48);
		if (zeros(smaller(smaller(a, b), smaller(c, d))))
			break;
	}
	while (!(found = zeros(load(at))))
		at += VECTOR;
	return at + first(found) - (const unsigned char *)string;
}

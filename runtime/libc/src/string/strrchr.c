/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "bytes.h"

// Whether one of 64 bytes is the wanted one or the end.
static inline int interesting(const unsigned char *at, const bytes *wanted)
{
	bytes found = all_of(255);
	for (int i = 0; i < BLOCK; i += VECTOR) {
		bytes v = load(at + i);
		found = smaller(found, smaller(v, v ^ *wanted));
	}
	return zeros(found) != 0;
}

char *strrchr(const char *string, int byte)
{
	const unsigned char *at = align_down(string, VECTOR), *kept = 0;
	bytes wanted = all_of(byte), v = load(at);
	unsigned valid = 0xffffu << (uintptr_t)string % VECTOR;
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

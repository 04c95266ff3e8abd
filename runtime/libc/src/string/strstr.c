/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "bytes.h"

#define strstr __transproc_two_way
#include <../string/strstr.c> // musl's, whose time is linear in the worst case
#undef strstr

#define MANY 64 // candidates that are tried before one in eight positions is too many

// Whether none of 64 bytes is the wanted one or the end.
static inline int none(const char *at, const bytes *wanted)
{
	bytes found = all_of(255);
	for (int i = 0; i < BLOCK; i += VECTOR) {
		bytes v = load(at + i);
		found = smaller(found, smaller(v, v ^ *wanted));
	}
	return !zeros(found);
}

// Candidates are places where the first two bytes of the pattern stand.
char *strstr(const char *string, const char *pattern)
{
	if (!pattern[0] || !pattern[1])
		return pattern[0] ? strchr(string, pattern[0]) : (char *)string;
	bytes one = all_of(pattern[0]), two = all_of(pattern[1]);
	size_t rest = strlen(pattern + 2), tried = 0;
	const char *at = (const char *)align_down(string, VECTOR);
	unsigned valid = 0xffffu << (uintptr_t)string % VECTOR, before = 0; // `before`: the last byte was the pattern's first
	for (;; at += VECTOR, valid = 0xffff) {
		bytes v = load(at);
		unsigned seconds = zeros(smaller(v, v ^ two)) & valid; // or the end
		if (seconds) {
			unsigned end = zeros(v) & valid, found = (zeros(v ^ one) & valid) << 1 | before;
			found &= end ? seconds & (end ^ end - 1) & ~end : seconds;
			for (; found; found &= found - 1) {
				const char *candidate = at + first(found) - 1;
				if (!strncmp(candidate + 2, pattern + 2, rest))
					return (char *)candidate;
				if (++tried > MANY + (candidate - string) / 8)
					return __transproc_two_way(candidate + 1, pattern);
			}
			if (end)
				return 0;
		}
		if (!seconds)
			while ((uintptr_t)(at + VECTOR) % BLOCK == 0 && none(at + VECTOR, &two))
				at += BLOCK, valid = 0xffff;
		before = at[VECTOR - 1] == pattern[0] && valid >> VECTOR - 1;
	}
}

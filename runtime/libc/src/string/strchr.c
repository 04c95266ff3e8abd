/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_byte.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(char *, first_time, (const char *string, int byte), strchr(string, byte))

char *strchr(const char *string, int byte)
{
	const unsigned char *at = (const unsigned char *)string;
	if (__builtin_expect(!crosses(at), 1)) {
		bytes v = load_loose(at);
		unsigned found = zeros(unlike(v, all_of(byte), EITHER));
		if (found) {
			at += first(found);
			return *at == (unsigned char)byte ? (char *)at : 0;
		}
		at += VECTOR;
	}
	WITH_ABILITY(wide, __transproc_wide_strchr(at, byte), first_time(string, byte));
	at = find(at, byte, EITHER, 0, 0);
	return *at == (unsigned char)byte ? (char *)at : 0;
}

/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_byte.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(char *, first_time, (const char *string, int byte), __strchrnul(string, byte))

char *__strchrnul(const char *string, int byte)
{
	const unsigned char *at = (const unsigned char *)string;
	if (__builtin_expect(!crosses(at), 1)) {
		bytes v = load_loose(at);
		unsigned found = zeros(unlike(v, all_of(byte), EITHER));
		if (found)
			return (char *)at + first(found);
		at += VECTOR;
	}
	WITH_ABILITY(wide, __transproc_wide_strchrnul(at, byte), first_time(string, byte));
	return (char *)find(at, byte, EITHER, 0, 0);
}

weak_alias(__strchrnul, strchrnul);

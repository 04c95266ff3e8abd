/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_last.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(char *, first_time, (const char *string, int byte), strrchr(string, byte))

char *strrchr(const char *string, int byte)
{
	if (__builtin_expect(!crosses(string), 1)) {
		bytes v = load_loose(string);
		unsigned end = zeros(v), found;
		if (end) {
			found = zeros(v ^ all_of(byte)) & (end ^ end - 1);
			return found ? (char *)string + last(found) : 0;
		}
	}
	WITH_ABILITY(wide, __transproc_wide_strrchr(string, byte), first_time(string, byte));
	return find_last_in_string(string, byte);
}

/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The stream's buffer is the place where the text goes: what is behind its end is counted, and thrown away.
#include "stdio_impl.h"
#include <limits.h>
#include <string.h>
#include "print.h"

static size_t fill(FILE *f, const unsigned char *text, size_t length)
{
	size_t room = f->wend - f->wpos;
	if (length < room)
		room = length;
	memcpy(f->wpos, text, room);
	f->wpos += room;
	return length;
}

int vsnprintf(char *restrict to, size_t n, const char *restrict format, va_list arguments)
{
	unsigned char nowhere[1];
	FILE f = {
		.lbf = EOF,
		.write = fill,
		.lock = -1,
		.buf = n > 1 ? (unsigned char *)to : nowhere,
		.buf_size = n <= 1 ? 1 : n - 1 < INT_MAX ? n - 1 : INT_MAX,
	};
	f.wpos = f.wbase = f.buf;
	f.wend = f.buf + f.buf_size;
	if (n)
		*to = 0;
	int result = __transproc_print(&f, format, arguments);
	if (n > 1)
		*f.wpos = 0;
	return result;
}
